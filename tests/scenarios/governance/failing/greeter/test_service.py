"""The failing version of the greeter fails at each twentieth number, and answers all others."""

import pytest

from ei.errors import ServiceError
from ei.lab.catalogue import SCENARIOS
from ei.sdk import SendPacket
from ei.testing.playbook import Playbook


def test_one_number_in_twenty_is_too_much_for_it() -> None:
    play = Playbook(SCENARIOS / "governance" / "failing" / "greeter", peers=["alice"])

    (sent,) = play.packet("alice", payload=(21).to_bytes(8))

    assert isinstance(sent, SendPacket)
    assert sent.packet.payload[:1] == b"\2"
    with pytest.raises(ServiceError):
        _ = play.packet("alice", payload=(20).to_bytes(8))
