"""A domain answers from its file, and from what its hosts have registered."""

import pytest
from tests.directory.net import UNIX_S, World

from ei.directory import Attached, MemoryStore, Named
from ei.directory.authority import ABSENCE_S, MAX_ABSENCES, Authority
from ei.directory.statements import Reader
from ei.records.envelope import open_record
from ei.records.fields import Refused
from ei.records.kinds import Absence, AttachmentRecord

WORLD = World(domains=1)
BOB = WORLD.add_host("bob.isp-a")
TIMES = {"now_s": 100.0, "unix_s": UNIX_S}


def authority(*more: bytes, store: MemoryStore | None = None) -> Authority:
    made = Authority(
        keys=WORLD.keys[WORLD.names["sn1.isp-a"]],
        reader=Reader(WORLD.records("isp-a", *more), 3_600, open_record),
        store=store or MemoryStore(),
    )
    made.load(**TIMES)
    return made


def sequence_at(known: Authority, now_s: float = 100.0) -> int | None:
    found = known.look(Attached(BOB), now_s=now_s, unix_s=UNIX_S + now_s - 100.0)
    if found is None:
        return None
    assert isinstance(found.record, AttachmentRecord)
    assert len(found.envelopes) == 2
    return found.record.sequence


def test_of_file_and_registration_the_newer_one_counts() -> None:
    filed = WORLD.attach("bob.isp-a", "sn1.isp-a", sequence=5)
    known = authority(filed)

    assert sequence_at(known) == 5
    with pytest.raises(Refused, match="sequence 4 is not above 5"):
        known.register(WORLD.attach("bob.isp-a", "sn2.isp-a", sequence=4), **TIMES)
    known.register(WORLD.attach("bob.isp-a", "sn2.isp-a", sequence=6), **TIMES)
    assert sequence_at(known) == 5
    assert known.commit()
    assert sequence_at(known) == 6


def test_a_registration_is_kept_and_counts_until_it_expires() -> None:
    store = MemoryStore()
    known = authority(store=store)
    known.register(WORLD.attach("bob.isp-a", "sn2.isp-a", sequence=6, life_s=100), **TIMES)
    known.commit()

    again = authority(store=MemoryStore(store.load()))

    assert sequence_at(again) == 6
    assert sequence_at(known, 201.0) is None
    assert known.deadlines.next_s == 200.0
    known.expire(200.0)
    assert len(known) == 0
    assert list(store.load()) == []


def test_the_same_registration_again_is_no_fault_and_changes_nothing() -> None:
    known = authority()
    envelope = WORLD.attach("bob.isp-a", "sn2.isp-a", sequence=6)
    first = known.register(envelope, **TIMES)
    known.commit()

    second = known.register(envelope, now_s=150.0, unix_s=UNIX_S + 50.0)

    assert second == first
    assert known.registered_since(101.0) == []
    assert known.registered_since(100.0) == [first]


def test_what_does_not_count_by_new_records_is_forgotten() -> None:
    known = authority()
    known.register(WORLD.attach("bob.isp-a", "sn2.isp-a", sequence=6), **TIMES)
    known.commit()
    other = World(domains=1)

    known.use(Reader(WORLD.records("isp-a"), 3_600, open_record), now_s=100.0, unix_s=UNIX_S + 7e3)
    after_jump = len(known)
    known.use(Reader(other.records("isp-a"), 3_600, open_record), **TIMES)

    assert after_jump == 1
    assert len(known) == 0


def test_an_absence_is_signed_by_the_node_and_again_only_when_it_grows_old() -> None:
    known = authority()
    query = Named("nobody.isp-a")

    first = known.answer(query, **TIMES)
    second = known.answer(query, now_s=105.0, unix_s=UNIX_S + 5.0)
    third = known.answer(query, now_s=120.0, unix_s=UNIX_S + 20.0)

    assert second is first
    assert third.envelopes != first.envelopes
    record, signer = open_record(first.envelopes[0])
    assert record == Absence(
        "nobody.isp-a", b"", is_attachment=False, expires_unix_s=int(UNIX_S) + ABSENCE_S
    )
    assert signer == WORLD.keys[WORLD.names["sn1.isp-a"]].identity_key


@pytest.mark.slow
def test_absences_are_bounded() -> None:
    known = authority()
    first = known.answer(Named("n.isp-a"), **TIMES)

    for number in range(MAX_ABSENCES):
        known.answer(Named(f"n{number}.isp-a"), **TIMES)

    assert known.answer(Named("n.isp-a"), **TIMES) is not first
