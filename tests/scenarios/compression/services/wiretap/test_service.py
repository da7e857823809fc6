"""What the wiretap does, as scripts of events."""

from ipaddress import IPv6Address
from pathlib import Path

from ei.lab.catalogue import SCENARIOS
from ei.sdk import InstallDecision, PassPacket, Protection, SendControl, SendPacket
from ei.testing.playbook import Playbook, address

FOLDER: Path = SCENARIOS / "compression" / "services" / "wiretap"
DELIVERY = 16


def wiretap() -> Playbook:
    of = {
        "observer": str(IPv6Address(address("bob"))),
        "next_node": str(IPv6Address(address("east"))),
    }
    return Playbook(FOLDER, peers=["alice", "bob", "east"], config=of)


def test_what_crosses_is_shown_and_goes_on() -> None:
    shown, install, passed = wiretap().packet(
        "alice", service=DELIVERY, payload=b"frame", protection=Protection.PACKED
    )

    assert isinstance(shown, SendControl)
    assert (shown.to, shown.message.payload) == (address("bob"), b"frame")  # type: ignore[attr-defined]
    assert isinstance(install, InstallDecision)
    assert isinstance(passed, PassPacket)


def test_what_it_is_sent_goes_to_the_next_node_as_a_frame() -> None:
    (sent,) = wiretap().packet("alice", payload=b"bomb", metadata=address("bob"))

    assert isinstance(sent, SendPacket)
    assert sent.to == address("east")
    assert (sent.packet.service, sent.packet.protection) == (DELIVERY, Protection.PACKED)
    assert (sent.packet.payload, sent.packet.metadata) == (b"bomb", address("bob"))
