import msgspec
import pytest

from ei.sdk import (
    Address,
    AttachmentOf,
    Connection,
    ControlArrived,
    Event,
    NotKept,
    Packet,
    PacketArrived,
    PeerChanged,
    Resolved,
    Started,
    TallyRead,
    TimerFired,
)

A = Address(b"a" * 16)
A_HEX = "c410" + "61" * 16

EVENTS: list[tuple[Event, str]] = [
    (
        PacketArrived(Packet(16, A, A, Connection(1))),
        f"92009c10{A_HEX}{A_HEX}01c400c400004000c2c2c400",
    ),
    (ControlArrived(A, b"m"), f"9301{A_HEX}c4016d"),
    (TimerFired(b"k"), "9202c4016b"),
    (PeerChanged(A, is_up=True), f"9303{A_HEX}c3"),
    (Resolved(AttachmentOf(A), None), f"93049200{A_HEX}c0"),
    (TallyRead(b"t", 1, 2), "9405c401740102"),
    (NotKept(b"k", (bytes(8),), A), f"941ec4016b91c408{bytes(8).hex()}{A_HEX}"),
    (Started(), "9106"),
]


@pytest.mark.parametrize(("event", "golden"), EVENTS, ids=lambda value: type(value).__name__)
def test_an_event_is_an_array_that_starts_with_its_tag(event: Event, golden: str) -> None:
    assert msgspec.msgpack.encode(event).hex() == golden


@pytest.mark.parametrize(("event", "golden"), EVENTS, ids=lambda value: type(value).__name__)
def test_an_event_comes_back_from_its_bytes(event: Event, golden: str) -> None:
    assert msgspec.msgpack.decode(bytes.fromhex(golden), type=type(event)) == event
