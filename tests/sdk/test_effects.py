import msgspec
import pytest

from ei.sdk import (
    Address,
    AttachmentOf,
    CancelTimer,
    Connection,
    Count,
    Decision,
    Discard,
    DropPacket,
    Effect,
    HoldPacket,
    InstallDecision,
    KeepDictionary,
    Packet,
    PassPacket,
    ReadTally,
    Resolve,
    RevokeDecisions,
    SendControl,
    SendKept,
    SendPacket,
    SetTimer,
    Tally,
    key_of,
)

A = Address(b"a" * 16)
A_HEX = "c410" + "61" * 16
PACKET = Packet(16, A, A, Connection(1))
PACKET_HEX = f"9c10{A_HEX}{A_HEX}01c400c400004000c2c2c400"
DECISION = Decision(key_of(PACKET), Discard("no"), ttl_s=1.0)
DECISION_HEX = f"9596{A_HEX}{A_HEX}01c400c400109202a26e6fcb3ff0000000000000c40090"

EFFECTS: list[tuple[Effect, str]] = [
    (SendPacket(PACKET, A), f"9400{PACKET_HEX}{A_HEX}90"),
    (DropPacket("no"), "9201a26e6f"),
    (HoldPacket(AttachmentOf(A)), f"93029200{A_HEX}cb3ff0000000000000"),
    (InstallDecision(DECISION), f"9203{DECISION_HEX}"),
    (RevokeDecisions(b"t"), "9204c40174"),
    (PassPacket(PACKET, (Tally(b"t"),)), f"9305{PACKET_HEX}919201c40174"),
    (SendControl(b"m", A), f"9306c4016d{A_HEX}"),
    (SetTimer(b"k", 1.0), "9307c4016bcb3ff0000000000000"),
    (CancelTimer(b"k"), "9208c4016b"),
    (Resolve(AttachmentOf(A)), f"92099200{A_HEX}"),
    (Count("seen"), "930aa47365656e01"),
    (ReadTally(b"t"), "920bc40174"),
    (KeepDictionary(b"t", bytes(8)), "9312c40174c4080000000000000000"),
    (SendKept(b"k", (bytes(8),), A, b"m"), f"951ec4016b91c408{bytes(8).hex()}{A_HEX}c4016d"),
]


@pytest.mark.parametrize(("effect", "golden"), EFFECTS, ids=lambda value: type(value).__name__)
def test_an_effect_is_an_array_that_starts_with_its_tag(effect: Effect, golden: str) -> None:
    assert msgspec.msgpack.encode(effect).hex() == golden


@pytest.mark.parametrize(("effect", "golden"), EFFECTS, ids=lambda value: type(value).__name__)
def test_an_effect_comes_back_from_its_bytes(effect: Effect, golden: str) -> None:
    assert msgspec.msgpack.decode(bytes.fromhex(golden), type=type(effect)) == effect
