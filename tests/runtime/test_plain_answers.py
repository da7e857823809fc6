"""What is plain is right: held against what reads each answer back, and thereby the annotations."""

import enum
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import ServiceError
from ei.runtime.admission import Admission
from ei.runtime.plain_answers import is_plain
from ei.sdk import (
    Address,
    Connection,
    Decision,
    DropPacket,
    Effect,
    Forward,
    Hop,
    InstallDecision,
    Key,
    Packet,
    Pass,
    SendPacket,
    Tally,
    forward,
    key_of,
)
from ei.testing.toys import toy_manifest

A, B = Address(b"a" * 16), Address(b"b" * 16)
ARRIVED = Packet(16, A, A, Connection(2**40), b"metadata", b"payload", egress=B)
LIKE_IT = msgspec.msgpack.decode(msgspec.msgpack.encode(ARRIVED), type=Packet)
STAGES = (Tally(b"t"),)
ADMISSION = Admission(toy_manifest(max_hops=1), ())


def answer(  # noqa: PLR0913 each is a part
    *,
    key: object = key_of(ARRIVED),
    hops: object = None,
    to: object = A,
    ttl_s: object = 10.0,
    tag: object = b"tag",
    stages: object = (),
    packet: Packet = ARRIVED,
) -> tuple[Effect, ...]:
    """Return the plain answer, changed."""
    action = Forward((Hop(to),) if hops is None else hops)  # type: ignore[arg-type]
    decision = Decision(key, action, ttl_s, tag, stages)  # type: ignore[arg-type]
    return (InstallDecision(decision), SendPacket(packet, to, stages))  # type: ignore[arg-type]


def is_let_through(effects: tuple[Effect, ...]) -> bool:
    """Whether the effects are right when they are read back, and the answer with nothing to add."""
    try:
        encoded, is_sent, others = ADMISSION.check(effects, ARRIVED)
    except ServiceError:
        return False
    assert encoded == msgspec.msgpack.encode(effects)
    return is_sent and not others


def test_one_hop_that_changes_nothing_is_plain() -> None:
    assert is_plain(forward(ARRIVED, (Hop(B),), ttl_s=3_600.0, tag=bytes(64)), ARRIVED)


@given(
    to=st.binary(min_size=14, max_size=18),
    ttl_s=st.floats() | st.sampled_from([0.0, -0.0, 5e-324, 3_600.0, 3_600.0000000000005]),
    tag=st.binary(max_size=66) | st.integers(62, 66).map(bytes),
)
def test_ranges_are_those_that_the_sdk_declares(to: bytes, ttl_s: float, tag: bytes) -> None:
    effects = answer(to=to, ttl_s=ttl_s, tag=tag)

    assert is_plain(effects, ARRIVED) is is_let_through(effects)


class Number(int):
    """Not an int itself."""


class Octets(bytes):
    """Not bytes itself."""


class Real(float):
    """Not a float itself."""


class Pair(tuple[object, ...]):
    """Not a tuple itself."""

    __slots__ = ()


class One(enum.IntEnum):
    """Equal to 1."""

    ONE = 1


VALUES = st.sampled_from(
    [
        *(None, True, 0, 1, 10, -1, 2**64, 1.0, Number(1), Real(1.0), One.ONE, "a" * 16, object()),
        *(A, B, bytes(A), bytearray(A), Octets(A), b"", b"a" * 17, bytes(64), bytes(65)),
        *((), [], {}, STAGES, (Hop(A),), [Hop(A)], (Hop(A), Hop(B)), (Hop(A, b""),), (A,)),
        *(Pair((Hop(A),)), (Hop(A, None, Connection(1)),), (Hop(A, source=A),), (Hop(bytes(A)),)),
        *(key_of(ARRIVED), key_of(LIKE_IT), Pass(), Forward((Hop(A),)), ARRIVED, LIKE_IT),
    ]
)
KEYS = st.builds(Key, *[VALUES] * 6)


@given(
    st.dictionaries(
        st.sampled_from(["key", "hops", "to", "ttl_s", "tag", "stages", "packet"]), VALUES | KEYS
    )
)
def test_what_is_plain_is_let_through(fields: dict[str, object]) -> None:
    effects = answer(**fields)  # type: ignore[arg-type]

    assert not is_plain(effects, ARRIVED) or is_let_through(effects)


@pytest.mark.parametrize("field", Key.__struct_fields__)
@given(value=VALUES)
def test_a_key_is_that_of_the_packet_itself(field: str, value: object) -> None:
    key = msgspec.structs.replace(key_of(ARRIVED), **{field: value})

    is_its_own = value is getattr(ARRIVED, field)
    assert is_plain(answer(key=key), ARRIVED) is is_its_own


class OtherInstall(InstallDecision, frozen=True, tag=3):
    """Encoded as it is, and none."""


class OtherSend(SendPacket, frozen=True, tag=0):
    """Encoded as it is, and none."""


class OtherDecision(Decision, frozen=True):
    """Of one more field."""

    more: int = 0


class OtherKey(Key, frozen=True):
    """Of one more field."""

    more: int = 0


class OtherForward(Forward, frozen=True, tag=0):
    """Of one more field."""

    more: int = 0


class OtherHop(Hop, frozen=True):
    """Of one more field."""

    more: int = 0


INSTALL, SEND = answer()
DECISION = Decision(key_of(ARRIVED), Forward((Hop(A),)), 10.0)


def install(**fields: object) -> InstallDecision:
    return InstallDecision(msgspec.structs.replace(DECISION, **fields))


def like(kind: Callable[..., object], value: msgspec.Struct) -> object:
    return kind(*msgspec.structs.astuple(value))


@pytest.mark.parametrize(
    "effects",
    [
        (),
        (SEND,),
        (INSTALL, SEND, SEND),
        (SEND, INSTALL),
        (INSTALL, DropPacket("no")),
        (OtherInstall(DECISION), SEND),
        (INSTALL, OtherSend(ARRIVED, A)),
        (INSTALL, SendPacket(LIKE_IT, A)),
        (INSTALL, SendPacket(ARRIVED, B)),
        (INSTALL, SendPacket(ARRIVED, A, STAGES)),
        (INSTALL, SendPacket(ARRIVED, A, [])),  # type: ignore[arg-type]
        (InstallDecision(like(OtherDecision, DECISION)), SEND),  # type: ignore[arg-type]
        (install(key=like(OtherKey, key_of(ARRIVED))), SEND),
        (install(key=None), SEND),
        (install(action=Pass()), SEND),
        (install(action=OtherForward((Hop(A),))), SEND),
        (install(action=Forward((OtherHop(A),))), SEND),
        (install(action=Forward((Hop(A, b"m"),))), SEND),
        (install(action=Forward((Hop(A, source=A),))), SEND),
        (install(action=Forward((Hop(A), Hop(A)))), SEND),
        (install(action=Forward([Hop(A)])), SEND),  # type: ignore[arg-type]
        (install(action=Forward(Pair((Hop(A),)))), SEND),
        (install(ttl_s=10), SEND),
        (install(ttl_s=True), SEND),
        (install(ttl_s=Real(1.0)), SEND),
        (install(tag=Octets(b"tag")), SEND),
        (install(tag=bytearray(b"tag")), SEND),
        (install(stages=STAGES), SEND),
        Pair((INSTALL, SEND)),
        answer(to=Octets(A)),
        answer(to=bytearray(A)),
    ],
)
def test_all_else_is_read_back(effects: tuple[Effect, ...]) -> None:
    assert not is_plain(effects, ARRIVED)
