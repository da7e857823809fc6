"""An answer counts when it is about the question, and takes nothing back."""

from math import inf

import pytest
from tests.directory.net import LATER_S, UNIX_S, World

from ei.directory import Addressed, Attached, Named, Query
from ei.directory.statements import (
    Reader,
    Statement,
    absence_of,
    check_newer,
    is_answer,
    is_same,
    subject_of,
    word_of,
)
from ei.errors import IntegrityError
from ei.records.envelope import open_record
from ei.records.fields import Refused
from ei.records.kinds import AttachmentRecord, Enrolment, GroupRecord
from ei.sdk.packets import Address

HOST = Address(b"h" * 16)
GROUP = Address(b"g" * 16)
KEY = b"k" * 32
ALICE = Enrolment(HOST, ("alice.isp-a", "al.isp-a"), KEY, KEY, 9)
NEWS = GroupRecord(GROUP, "news.isp-a", KEY, (HOST,), 7, 9)
AT = AttachmentRecord(HOST, (HOST,), 7, 9)


def test_a_record_answers_what_it_is_about_and_nothing_else() -> None:
    queries: list[Query] = [
        Named("alice.isp-a"),
        Named("al.isp-a"),
        Addressed(HOST),
        Attached(HOST),
        Named("news.isp-a"),
        Addressed(GROUP),
    ]

    assert [is_answer(ALICE, query) for query in queries] == [True, True, True, False, False, False]
    assert [is_answer(AT, query) for query in queries] == [False, False, False, True, False, False]
    assert [is_answer(NEWS, query) for query in queries] == [False, False, False, False, True, True]


@pytest.mark.parametrize("query", [Named("bob.isp-b"), Addressed(HOST), Attached(HOST)])
def test_an_absence_is_about_one_query(query: Query) -> None:
    absence = absence_of(query, expires_unix_s=9)

    assert subject_of(absence) == query
    assert is_answer(absence, query)


def statement(record: AttachmentRecord | Enrolment | GroupRecord | None, mark: bytes) -> Statement:
    return Statement(record, (mark,))


def test_an_older_record_takes_nothing_back() -> None:
    newer = AttachmentRecord(HOST, (GROUP,), 8, 9)
    other = AttachmentRecord(HOST, (GROUP,), 7, 9)

    check_newer(statement(newer, b"2"), statement(AT, b"1"))
    check_newer(statement(AT, b"1"), statement(AT, b"1"))
    check_newer(statement(None, b"-"), statement(AT, b"1"))
    for new, known in ((AT, newer), (other, AT), (ALICE, ALICE), (NEWS, NEWS)):
        with pytest.raises(Refused) as refused:
            check_newer(statement(new, b"1"), statement(known, b"2"))
        assert word_of(refused.value) == "older"


def test_a_reader_counts_by_the_monotonic_clock() -> None:
    world = World()
    world.add_host("bob.isp-b")
    reader = Reader(world.records("isp-a"), 3_600, open_record)

    read = reader.read(Named("bob.isp-b"), (world.private["isp-b"][0],), now_s=5.0, unix_s=UNIX_S)

    assert read.expires_s == 5.0 + LATER_S - UNIX_S
    with pytest.raises(Refused, match="answers something else"):
        reader.read(Named("b.isp-b"), (world.private["isp-b"][0],), now_s=5.0, unix_s=UNIX_S)


def test_to_know_nothing_is_to_have_no_record() -> None:
    assert is_same(None, statement(None, b"-"))
    assert is_same(statement(AT, b"1"), statement(AT, b"2"))
    assert not is_same(statement(AT, b"1"), None)
    assert Statement(AT).expires_s == inf
    assert word_of(IntegrityError("damaged")) == "malformed"
