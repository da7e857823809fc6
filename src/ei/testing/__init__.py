"""Tools for testing services; shipped, so that authors elsewhere have them too."""

from ei.testing.fakes import FakeDatapath
from ei.testing.playbook import Playbook, address

__all__ = ["FakeDatapath", "Playbook", "address"]
