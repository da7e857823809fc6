import msgspec
import pytest

from ei.sdk import (
    Action,
    Address,
    Connection,
    Discard,
    Forward,
    Hop,
    Key,
    Packet,
    Pass,
    key_of,
)

A = Address(b"a" * 16)
A_HEX = "c410" + "61" * 16

ACTIONS: list[tuple[Action, str]] = [
    (
        Forward((Hop(A), Hop(A, b"m", Connection(2), A))),
        f"92009294{A_HEX}c0c0c094{A_HEX}c4016d02{A_HEX}",
    ),
    (Pass(), "9101"),
    (Discard("no"), "9202a26e6f"),
]


@pytest.mark.parametrize(("action", "golden"), ACTIONS, ids=lambda value: type(value).__name__)
def test_an_action_is_an_array_that_starts_with_its_tag(action: Action, golden: str) -> None:
    assert msgspec.msgpack.encode(action).hex() == golden
    assert msgspec.msgpack.decode(bytes.fromhex(golden), type=type(action)) == action


def test_the_key_of_a_packet_is_all_that_later_packets_are_known_by() -> None:
    packet = Packet(
        16, A, Address(b"s" * 16), Connection(7), b"m", b"payload", egress=Address(b"e" * 16)
    )

    assert key_of(packet) == Key(
        A, Address(b"s" * 16), Connection(7), b"m", Address(b"e" * 16), service=16
    )
