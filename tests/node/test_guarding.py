"""Guards are what a receiver has signed and what the operator wants, and they never fail open."""

import pytest

from ei.node.guarding import CLOSED, Guarding
from ei.records.envelope import seal_record
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.kinds import AttachmentRecord, Enrolment
from ei.records.record_set import RecordSet, verify_records
from ei.sdk import Address

D, NODE, OTHER, ALICE, BOB = (make_keys(letter * 32) for letter in (b"d", b"n", b"o", b"a", b"b"))
ISSUER = Issuer("isp-a", 1, D, expires_unix_s=2_000)
HERE, ELSEWHERE, ALICES = (keys.address(1) for keys in (NODE, OTHER, ALICE))


def attached(
    guards: tuple[int, ...] | None,
    *,
    keys: Keys = ALICE,
    node: Address = HERE,
    sequence: int = 1,
    expires_unix_s: int = 2_000,
) -> bytes:
    record = AttachmentRecord(ALICES, (node,), sequence, expires_unix_s, guards)
    return seal_record(record, keys)


def records(*more: bytes) -> RecordSet:
    known = [
        ISSUER.domain(),
        *(
            ISSUER.node(keys, name, endpoints=("192.0.2.1:3535",), services=())
            for keys, name in ((NODE, "sn1.isp-a"), (OTHER, "sn2.isp-a"))
        ),
        ISSUER.enrol(ALICE, "alice.isp-a"),
    ]
    return verify_records([*known, *more], trust={"isp-a": D.identity_key}, unix_s=1_000)


class Rig:
    """A node's guards, and what its datapath was told."""

    def __init__(self) -> None:
        self.told: list[tuple[bytes, list[int]]] = []
        self.guarding = Guarding(HERE, lambda peer, guards: self.told.append((peer, guards)))

    def use(self, known: RecordSet, **operators: tuple[int, ...]) -> None:
        of = {known.names[f"{name}.isp-a"]: guards for name, guards in operators.items()}
        self.guarding.use(known, of, {ALICES})

    def take(self, envelope: bytes) -> None:
        self.guarding.take(ALICES, envelope, unix_s=1_000.0)


def test_what_a_host_signed_in_the_file_stands_before_its_pipe() -> None:
    rig = Rig()

    rig.use(records(attached((38, 64))))
    rig.use(records(attached((38, 64))))

    assert rig.told == [(ALICES, [38, 64])]
    assert rig.guarding.wanted_by(ALICES) == (38, 64)


def test_the_operators_come_first_and_each_guard_once() -> None:
    rig = Rig()

    rig.use(records(attached((38, 64))), alice=(82, 64))

    assert rig.told == [(ALICES, [82, 64, 38])]
    assert rig.guarding.wanted_by(ALICES) == (38, 64)


def test_what_it_says_by_its_pipe_counts_at_once_and_the_newer_counts() -> None:
    rig = Rig()
    rig.use(records(attached((38,))))

    rig.take(attached((64,), sequence=2))
    rig.take(attached((65,), sequence=2))
    rig.take(attached((), sequence=3))

    assert rig.told == [(ALICES, [38]), (ALICES, [64]), (ALICES, [])]
    assert rig.guarding.refused == {"older": 1}


def test_who_is_gone_has_none() -> None:
    rig = Rig()
    rig.use(records())
    rig.take(attached((64,)))

    rig.guarding.use(records(), {}, ())

    assert rig.told == [(ALICES, [64]), (ALICES, [])]


@pytest.mark.parametrize(
    ("envelope", "word"),
    [
        (b"", "malformed"),
        (attached((64,), keys=BOB), "wrong_signer"),
        (attached((64,), node=ELSEWHERE), "unknown_node"),
        (attached((64,), expires_unix_s=999), "expired"),
        (attached((64, 64)), "bad_field"),
        (attached((0,)), "bad_field"),
        (attached(tuple(range(64, 73))), "bad_field"),
        (seal_record(Enrolment(ALICES, ("a.b",), b"", b"", 2_000), ALICE), "not_its_own"),
    ],
)
def test_what_does_not_count_is_counted_and_changes_nothing(envelope: bytes, word: str) -> None:
    rig = Rig()

    rig.take(envelope)

    assert rig.guarding.refused == {word: 1}
    assert not rig.told


def test_a_host_speaks_for_itself_alone() -> None:
    rig = Rig()

    rig.guarding.take(BOB.address(1), attached((64,)), unix_s=1_000.0)

    assert rig.guarding.refused == {"not_its_own": 1}


def test_more_than_the_datapath_takes_lets_nothing_through() -> None:
    rig = Rig()

    rig.use(records(attached(tuple(range(64, 72)))), alice=(82,))

    assert rig.told == [(ALICES, list(CLOSED))]
    assert rig.guarding.refused == {"too_many_guards": 1}


def test_of_an_unknown_receiver_the_guards_of_all_may_be_meant() -> None:
    rig = Rig()
    rig.use(records(attached((38, 64))))

    assert set(rig.guarding.wanted_by(b"")) == {38, 64}
    assert rig.guarding.wanted_by(BOB.address(1)) == ()
