from collections.abc import Callable

import msgspec
import pytest

from ei.errors import ServiceError
from ei.runtime.admission import MAX_EFFECTS, Admission
from ei.sdk import (
    Address,
    AtNode,
    AttachmentOf,
    CancelTimer,
    CloseStream,
    Connection,
    Count,
    Decision,
    Discard,
    DropPacket,
    Forward,
    HoldPacket,
    Hop,
    InstallDecision,
    KeepDictionary,
    Legacy,
    Meter,
    OpenStream,
    Packet,
    Pass,
    PassPacket,
    ReadStream,
    ReadTally,
    Resolve,
    RevokeDecisions,
    SendControl,
    SendKept,
    SendPacket,
    SetTimer,
    SpliceStreams,
    StartTls,
    StreamEffect,
    Tally,
    WriteStream,
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


def asks(*effects: object) -> Check:
    return lambda its: its.check(effects, ARRIVED)  # type: ignore[arg-type]


def decide(**fields: object) -> Check:
    given: dict[str, object] = {"key": KEY, "action": Pass(), "ttl_s": 1.0, **fields}
    return asks(InstallDecision(Decision(**given)))  # type: ignore[arg-type]


def forward(*hops: Hop) -> Check:
    return decide(action=Forward(hops))


def sends(packet: Packet) -> Check:
    return lambda its: its.check_packet(packet, ARRIVED)


def changed(**fields: object) -> Packet:
    return msgspec.structs.replace(ARRIVED, **fields)


def admission(**fields: object) -> Admission:
    return Admission(toy_manifest(max_hops=2, **fields), (Join,))


@pytest.mark.parametrize(
    "check",
    [
        asks(SendPacket(ARRIVED, A, (Tally(b"t"), Meter(b"m", 1, 1))), PassPacket(ARRIVED)),
        sends(changed(metadata=bytes(255))),
        decide(ttl_s=3_600, tag=bytes(64), stages=(Tally(bytes(64)),) * 8),
        decide(action=Discard("unwanted")),
        forward(Hop(A), Hop(A, metadata=bytes(255), connection=Connection(1), source=A)),
        sends(changed(source=A)),
        asks(RevokeDecisions(b""), Count("seen", 2**32), ReadTally(b"t")),
        asks(SendKept(b"k", (bytes(8),) * 256, A, bytes(255))),
        asks(HoldPacket(AttachmentOf(A), timeout_s=5.0)),
        asks(SetTimer(bytes(64), 0.0), CancelTimer(b""), Resolve(AttachmentOf(A))),
        asks(SendControl(Join(b"g"), A), DropPacket("unwanted")),
        asks(*[DropPacket("unwanted")] * MAX_EFFECTS),
        forward(Hop(A), Hop(A)),
        decide(action=Pass()),
        lambda its: its.check_counter(Count("seen")),
        lambda its: its.encode_message(SendControl(Join(b"g"), A)),
    ],
)
def test_what_is_within_its_limits_is_let_through(check: Check) -> None:
    _ = check(admission())


ADDRESS = "Expected `bytes` of length >= 16"
TTL = "InstallDecision.decision.ttl_s"


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (asks(SendPacket(ARRIVED, SHORT)), f"SendPacket.to = b'a{{15}}': {ADDRESS}"),
        (
            asks(DropPacket("unwanted"), SendPacket(ARRIVED, A, (Tally(b""),))),
            "SendPacket.stages\\[0\\].object = b'': Expected `bytes` of length >= 1",
        ),
        (sends(changed(metadata=bytes(256))), "Packet.metadata = b'.*Expected .* length <= 255"),
        (sends(changed(payload=bytes(65_001))), "Packet.payload = .* of length <= 65000"),
        (sends(changed(hop_limit=WORD)), "Packet.hop_limit = 'alice': Expected `int`, got `str`"),
        (sends(changed(metadata=object())), "a packet that is no plain data: "),
        (sends(changed(connection=2**70)), "a packet that is no plain data: "),
        (asks(PassPacket(ARRIVED, (Tally(b"t"),) * 9)), "PassPacket.stages = .* length <= 8"),
        (decide(ttl_s=0.0), f"{TTL} = 0.0: Expected `float` > 0.0"),
        (decide(ttl_s=3_601.0), f"{TTL} = 3601.0: Expected `float` <= 3600.0"),
        (decide(ttl_s=float("nan")), f"{TTL} = nan: Expected"),
        (decide(tag=bytes(65)), "InstallDecision.decision.tag = b'.* of length <= 64"),
        (decide(tag="news"), "InstallDecision.decision.tag = 'news': Expected `bytes`, got `str`"),
        (decide(stages=(Tally(b"t"),) * 9), "InstallDecision.decision.stages = .* length <= 8"),
        (decide(key=object()), "effects that are no plain data: "),
        (forward(), r"InstallDecision.decision.action.hops = \(\): .* length >= 1"),
        (forward(Hop(A), Hop(SHORT)), r"InstallDecision.decision.action.hops\[1\].to = b'a{15}'"),
        (forward(Hop(A, bytes(256))), r"InstallDecision.decision.action.hops\[0\].metadata = "),
        (asks(RevokeDecisions(bytes(65))), "RevokeDecisions.tag = .* of length <= 64"),
        (asks(Count("seen", -1)), "Count.amount = -1: Expected `int` >= 0"),
        (asks(ReadTally(bytes(65))), "ReadTally.object = .* of length <= 64"),
        (asks(KeepDictionary(b"d", b"short")), "KeepDictionary.dictionary = .* of length >= 8"),
        (asks(SendKept(b"k", (bytes(7),), A, b"")), "SendKept.names"),
        (asks(SendKept(b"k", (bytes(8),) * 257, A, b"")), "SendKept.names = .* of length <= 256"),
        (
            asks(HoldPacket(AttachmentOf(A), timeout_s=5.1)),
            "HoldPacket.timeout_s = 5.1: Expected `float` <= 5.0",
        ),
        (asks(SetTimer(bytes(65), 1.0)), "SetTimer.key = .* of length <= 64"),
        (asks(SetTimer(b"", -1.0)), "SetTimer.after_s = -1.0: Expected `float` >= 0.0"),
        (asks(SendControl(Join(b""), SHORT)), "SendControl.to = "),
        (asks(OpenStream(1, AtNode(SHORT))), f"OpenStream.to.node = b'a{{15}}': {ADDRESS}"),
        (asks(ReadStream(2, 0)), "ReadStream.limit = 0: Expected `int` >= 1"),
        (asks(WriteStream(2, bytes(65_537))), "WriteStream.data = .* of length <= 65536"),
        (asks("junk"), "'junk' is not an effect"),
        (asks(None), "None is not an effect"),
        (asks(ARRIVED), r"Packet\(.* is not an effect"),
        (asks(*[DropPacket("unwanted")] * (MAX_EFFECTS + 1)), "more than 2048 effects"),
        (
            forward(*[Hop(A)] * 3),
            "3 hops: 1 to 2 allowed",
        ),
        (
            decide(action=Discard("bored")),
            "reason 'bored': the manifest's drop_reasons allow unwanted",
        ),
        (
            lambda its: its.check_counter(Count("unseen")),
            "counter 'unseen': the manifest's counters allow seen",
        ),
        (
            lambda its: its.encode_message(SendControl(Other(), A)),
            r"message Other\(\): not one of MESSAGES",
        ),
        (
            lambda its: its.encode_message(SendControl(Join(bytes(65_536)), A)),
            "message of 655.. B exceeds 65536 B",
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


@pytest.mark.parametrize(
    "effect",
    [
        OpenStream(1, AtNode(A)),
        ReadStream(2),
        WriteStream(2, b"hello", is_end=True),
        CloseStream(2),
        SpliceStreams(2, 1),
    ],
)
def test_streams_are_for_who_declares_them(effect: StreamEffect) -> None:
    with pytest.raises(ServiceError, match="the manifest lacks the capability streams"):
        admission().check_stream(effect)
    admission(capabilities=("streams",)).check_stream(effect)


def test_the_legacy_internet_is_for_who_declares_it() -> None:
    effect = OpenStream(1, Legacy("example.org", 443))

    with pytest.raises(ServiceError, match="the manifest lacks the capability internet"):
        admission(capabilities=("streams",)).check_stream(effect)
    admission(capabilities=("streams", "internet")).check_stream(effect)


def test_an_anonymous_service_opens_no_streams_to_nodes() -> None:
    its = admission(capabilities=("streams", "internet"), anonymous=True)

    with pytest.raises(ServiceError, match="an anonymous service opens none to a node"):
        its.check_stream(OpenStream(1, AtNode(A)))
    its.check_stream(OpenStream(1, Legacy("example.org", 443)))


def test_the_operators_sites_are_for_who_declares_them() -> None:
    effect = StartTls(2, "www.example.org")

    with pytest.raises(ServiceError, match="the manifest lacks the capability sites"):
        admission(capabilities=("streams",)).check_stream(effect)
    admission(capabilities=("streams", "sites")).check_stream(effect)


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (OpenStream(4, AtNode(A)), "OpenStream.stream = 4: odd numbers allowed"),
        (SpliceStreams(3, 3), "SpliceStreams.b = 3: another stream than a allowed"),
    ],
)
def test_a_stream_that_cannot_be_is_refused(effect: StreamEffect, said: str) -> None:
    with pytest.raises(ServiceError, match=said):
        admission(capabilities=("streams",)).check_stream(effect)


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
        its.check_counter(Count("seen"))


def test_what_derives_from_an_effect_is_none() -> None:
    class Copy(SendPacket, frozen=True, gc=False, array_like=True, tag=0):
        """Looked for as a copy, it would not be found."""

    with pytest.raises(ServiceError, match=r"Copy\(.* is not an effect"):
        _ = admission().check((Copy(changed(payload=b"other"), A),), ARRIVED)


def test_what_is_checked_is_what_the_datapath_gets() -> None:
    effects = (SendPacket(ARRIVED, A), Count("seen"))

    encoded, is_sent, others = admission().check(effects, ARRIVED)

    assert encoded == msgspec.msgpack.encode(effects)
    assert is_sent
    assert others == [Count("seen")]
