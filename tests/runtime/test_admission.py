from collections.abc import Callable

import msgspec
import pytest

from ei.errors import ServiceError
from ei.runtime.admission import MAX_EFFECTS, Admission
from ei.sdk import (
    Address,
    AttachmentOf,
    Connection,
    Count,
    Decision,
    Discard,
    Forward,
    HoldPacket,
    Hop,
    InstallDecision,
    Meter,
    Packet,
    Pass,
    PassPacket,
    ReadTally,
    RevokeDecisions,
    SendControl,
    SendPacket,
    SetTimer,
    Stage,
    Tally,
    key_of,
)
from ei.testing.toys import toy_manifest

A = Address(b"a" * 16)
SHORT = Address(b"a" * 15)
ARRIVED = Packet(16, A, A, Connection(1), b"m", b"payload")
KEY = key_of(ARRIVED)
WORD = "alice"


class Join(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A message."""

    group: bytes


class Other(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """No message of this service."""


Check = Callable[[Admission], object]


def decide(**fields: object) -> Check:
    given: dict[str, object] = {"key": KEY, "action": Pass(), "ttl_s": 1.0, **fields}
    decision = Decision(**given)  # type: ignore[arg-type]
    return lambda admission: admission.check_plain(InstallDecision(decision))


def forward(*hops: Hop) -> Check:
    return decide(action=Forward(hops))


def send(packet: Packet, to: Address = A, stages: tuple[Stage, ...] = ()) -> Check:
    return lambda admission: admission.check_send(SendPacket(packet, to, stages), ARRIVED)


def hand_on(packet: Packet, stages: tuple[Stage, ...] = ()) -> Check:
    return lambda admission: admission.check_pass(PassPacket(packet, stages), ARRIVED)


def changed(**fields: object) -> Packet:
    return msgspec.structs.replace(ARRIVED, **fields)


def admission(**fields: object) -> Admission:
    return Admission(toy_manifest(max_hops=2, **fields), (Join,))


@pytest.mark.parametrize(
    "check",
    [
        send(ARRIVED),
        send(changed(metadata=bytes(255)), stages=(Tally(b"t"), Meter(b"m", 1, 1))),
        hand_on(ARRIVED, (Tally(b"t"),)),
        hand_on(changed(metadata=b"")),
        decide(ttl_s=3_600, tag=bytes(64), stages=(Tally(bytes(64)),) * 8),
        decide(action=Discard("unwanted")),
        forward(Hop(A), Hop(A, metadata=bytes(255), connection=Connection(1))),
        lambda its: its.check_plain(RevokeDecisions(b"")),
        lambda its: its.check_plain(Count("seen", 2**32)),
        lambda its: its.check_plain(ReadTally(b"t")),
        lambda its: its.check_hold(HoldPacket(AttachmentOf(A), timeout_s=5.0)),
        lambda its: its.check_timer(SetTimer(bytes(64), 0.0)),
        lambda its: its.encode_message(SendControl(Join(b"g"), A)),
        lambda its: its.check_count_of_effects([None] * MAX_EFFECTS),
    ],
)
def test_what_is_within_its_limits_is_let_through(check: Check) -> None:
    _ = check(admission())


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (send(ARRIVED, SHORT), "SendPacket.to = b'a{15}': an address of 16 bytes allowed"),
        (send(ARRIVED, stages=(Tally(b""),)), "object = b'': 1 to 64 bytes allowed"),
        (send(changed(metadata=bytes(256))), r"packet.metadata = b'\\x00.*: 0 to 255 bytes"),
        (send(changed(payload=bytes(65_001))), "packet.payload = .*: 0 to 65000 bytes allowed"),
        (send(changed(hop_limit=WORD)), "not a packet: Packet.*Expected `int`, got `str`"),
        (send(changed(metadata=object())), "not a packet: "),
        (send(changed(connection=2**70)), "not a packet: "),
        (hand_on(changed(metadata=bytes(256))), "packet.metadata"),
        (hand_on(ARRIVED, (Tally(b"t"),) * 9), "9 stages: up to 8 allowed"),
        (decide(ttl_s=0.0), "ttl_s = 0.0: above 0 and up to 3600 allowed"),
        (decide(ttl_s=3_601.0), "ttl_s = 3601.0: above 0"),
        (decide(ttl_s=float("nan")), "ttl_s = nan: above 0"),
        (decide(tag=bytes(65)), "decision.tag = .*: 0 to 64 bytes allowed"),
        (decide(tag="news"), "decision.tag = 'news': 0 to 64 bytes allowed"),
        (decide(stages=(Tally(b"t"),) * 9), "9 stages: up to 8 allowed"),
        (decide(action=Discard("bored")), "reason 'bored': the manifest's drop_reasons allow unw"),
        (forward(), "0 hops: 1 to 2 allowed"),
        (forward(*[Hop(A)] * 3), "3 hops: 1 to 2 allowed"),
        (forward(Hop(SHORT)), "hop.to = "),
        (forward(Hop(A, bytes(256))), "hop.metadata = "),
        (lambda its: its.check_plain(RevokeDecisions(bytes(65))), "tag = .*: 0 to 64 bytes"),
        (lambda its: its.check_plain(Count("unseen")), "counter 'unseen': .* counters allow seen"),
        (lambda its: its.check_plain(Count("seen", -1)), "amount = -1: 0 to 4294967296 allowed"),
        (lambda its: its.check_plain(ReadTally(bytes(65))), "object = .*: 1 to 64 bytes"),
        (
            lambda its: its.check_hold(HoldPacket(AttachmentOf(A), timeout_s=5.1)),
            "timeout_s = 5.1: above 0 and up to 5 allowed",
        ),
        (lambda its: its.check_timer(SetTimer(bytes(65), 1.0)), "timer key = .*: 0 to 64 bytes"),
        (lambda its: its.check_timer(SetTimer(b"", -1.0)), "after_s = -1.0: 0 to 31622400 allowed"),
        (lambda its: its.encode_message(SendControl(Join(b""), SHORT)), "SendControl.to = "),
        (
            lambda its: its.encode_message(SendControl(Other(), A)),
            r"message Other\(\): not one of MESSAGES",
        ),
        (
            lambda its: its.encode_message(SendControl(Join(bytes(65_536)), A)),
            "message of 655.. B exceeds 65536 B",
        ),
        (
            lambda its: its.check_count_of_effects([None] * (MAX_EFFECTS + 1)),
            "more than 2048 effects of one event",
        ),
    ],
)
def test_what_is_past_its_limits_is_refused_with_what_was_seen_and_what_is_allowed(
    check: Check, said: str
) -> None:
    with pytest.raises(ServiceError, match=f"^{said}"):
        _ = check(admission())


def test_without_the_capability_a_payload_leaves_as_it_came() -> None:
    other = changed(payload=b"other")

    with pytest.raises(ServiceError, match="changes a payload: the manifest lacks the capability"):
        admission().check_packet(other, ARRIVED)
    admission(capabilities=("payload",)).check_packet(other, ARRIVED)
    admission().check_packet(other, None)


def test_a_packet_that_was_let_through_once_is_looked_at_again_after_another() -> None:
    its, copy = admission(), changed(metadata=b"copy")
    its.check_packet(copy, ARRIVED)
    its.check_packet(copy, ARRIVED)

    with pytest.raises(ServiceError, match="changes a payload"):
        its.check_packet(copy, changed(payload=b"another"))


def test_a_service_that_declares_nothing_may_say_nothing() -> None:
    its = admission(drop_reasons=(), counters=())

    with pytest.raises(ServiceError, match="drop_reasons allow none"):
        its.check_reason("unwanted")
    with pytest.raises(ServiceError, match="counters allow none"):
        its.check_plain(Count("seen"))
