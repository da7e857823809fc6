import pytest

from ei.runtime.resolved import FOUND_S, MAX_RECORDS, MISSING_S, ResolvedRecords
from ei.sdk import Address, Attachment, AttachmentOf

HOST = Address(b"h" * 16)
QUERY = AttachmentOf(HOST)
RECORD = Attachment(HOST, ())


def test_an_answer_is_there_until_its_time_is_over() -> None:
    records = ResolvedRecords()
    records.now_s = 100.0
    records.add(QUERY, RECORD)

    records.now_s = 100.0 + FOUND_S - 0.1
    assert records[QUERY] == RECORD
    assert QUERY in records
    assert (list(records), len(records)) == ([QUERY], 1)

    records.now_s = 100.0 + FOUND_S
    assert QUERY not in records
    assert (list(records), len(records)) == ([], 0)
    with pytest.raises(KeyError):
        _ = records[QUERY]


def test_that_there_is_none_is_an_answer_too_for_a_shorter_while() -> None:
    records = ResolvedRecords()
    records.add(QUERY, None)

    assert QUERY in records
    assert records[QUERY] is None

    records.now_s = MISSING_S
    assert QUERY not in records


def test_a_newer_answer_takes_the_place_of_the_older() -> None:
    records = ResolvedRecords()
    records.add(QUERY, None)
    records.add(QUERY, RECORD)

    assert dict(records) == {QUERY: RECORD}


def test_what_was_answered_longest_ago_makes_room() -> None:
    records = ResolvedRecords()
    queries = [AttachmentOf(Address(number.to_bytes(16, "big"))) for number in range(MAX_RECORDS)]
    for query in queries:
        records.add(query, None)
    records.add(queries[0], None)

    records.add(QUERY, RECORD)

    assert queries[1] not in records
    assert queries[0] in records
    assert repr(records) == f"<ResolvedRecords {MAX_RECORDS}/{MAX_RECORDS}>"
