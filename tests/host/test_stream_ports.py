"""Streams without a port are few, of each peer and in sum, and none stays for long."""

import pytest

from ei.errors import LocalError
from ei.host.stream_ports import (
    MAX_UNROUTED,
    MAX_UNROUTED_OF_PEER,
    PORT_TIMEOUT_NS,
    Unrouted,
    encode_opening,
    encode_port,
)
from ei.sdk import Address

ALICE, BOB = Address(b"a" * 16), Address(b"b" * 16)


def test_a_port_is_two_bytes_little_endian() -> None:
    assert encode_port(0x1F90) == b"\x90\x1f"


def test_an_opening_comes_after_its_length() -> None:
    assert encode_opening(b"for") == b"\x03\x00for"
    with pytest.raises(LocalError, match="allowed are 1024 B"):
        _ = encode_opening(bytes(1_025))


def test_a_port_is_known_once_both_bytes_are_there() -> None:
    unrouted = Unrouted()
    key = (ALICE, 1, 4)
    _ = unrouted.add(0, key)

    assert unrouted.missing(key) == 2
    assert unrouted.take(key, b"\x90") is None
    assert unrouted.missing(key) == 1
    assert unrouted.take(key, b"\x1f") == 8_080
    assert key not in unrouted


def test_one_peer_leaves_room_for_the_others() -> None:
    unrouted = Unrouted()

    taken = [unrouted.add(0, (ALICE, stream % 7, stream)) for stream in range(MAX_UNROUTED)]

    assert sum(taken) == MAX_UNROUTED_OF_PEER
    assert unrouted.add(0, (BOB, 1, 0))


def test_all_peers_together_have_a_bound() -> None:
    unrouted = Unrouted()
    peers = [Address(bytes([number]) * 16) for number in range(100)]

    for peer in peers:
        for stream in range(20):
            _ = unrouted.add(0, (peer, 1, stream))

    assert len(unrouted) == MAX_UNROUTED


def test_a_stream_without_a_port_is_due_when_its_time_is_over() -> None:
    unrouted = Unrouted()
    first, second = (ALICE, 1, 0), (ALICE, 1, 4)
    _ = unrouted.add(0, first)
    _ = unrouted.add(10, second)

    assert unrouted.next_deadline_ns() == PORT_TIMEOUT_NS
    assert unrouted.take_due(PORT_TIMEOUT_NS - 1) == []
    assert unrouted.take_due(PORT_TIMEOUT_NS) == [first]
    assert unrouted.next_deadline_ns() == PORT_TIMEOUT_NS + 10
    assert second in unrouted


def test_streams_go_with_their_connection() -> None:
    unrouted = Unrouted()
    for connection in (1, 2):
        for stream in (0, 4):
            _ = unrouted.add(0, (ALICE, connection, stream))

    unrouted.remove_connection((ALICE, 1))
    unrouted.remove((ALICE, 2, 0))

    assert len(unrouted) == 1
    assert unrouted.take_due(PORT_TIMEOUT_NS) == [(ALICE, 2, 4)]
    assert unrouted.next_deadline_ns() is None
