"""The version that dies starts like any other."""

import pytest

from ei.lab.catalogue import SCENARIOS
from ei.testing.playbook import Playbook


def test_it_starts_and_its_first_packet_ends_it() -> None:
    play = Playbook(SCENARIOS / "upgrade" / "dying" / "ledger", peers=["alice"])

    with pytest.raises(SystemExit):
        _ = play.packet("alice", payload=b"12345678")
