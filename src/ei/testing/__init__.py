"""Tools for testing services; shipped, so that authors elsewhere have them too."""

from ei.records.stating import state
from ei.testing.fakes import FakeDatapath
from ei.testing.far_ends import FarEnd
from ei.testing.playbook import Playbook, address

__all__ = ["FakeDatapath", "FarEnd", "Playbook", "address", "state"]
