"""A name is looked up with all that an operator wants to know of it."""

import asyncio

import pytest

from ei.directory import Addressed, Attached, Named, Query, Resolution
from ei.errors import LocalError
from ei.node.lookups import FoundAnswer, look_up
from ei.records.addresses import format_address
from ei.records.kinds import AnyRecord, AttachmentRecord, Enrolment, GroupRecord, NodeRecord
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

KEY = b"k" * 32
HOST, NODE = (Address(b"\xfd\x35\0\0\0\1" + letter * 10) for letter in (b"h", b"n"))
SN1 = NodeRecord(NODE, "sn1.isp-a", KEY, KEY, (), (), 90)
RECORDS = RecordSet(nodes={NODE: SN1})
BOB = Enrolment(HOST, ("bob.isp-a",), KEY, KEY, 70)
AT = AttachmentRecord(HOST, (NODE,), 1, 80)


class Known:
    """Answers the second time that it is asked."""

    def __init__(self, answers: dict[Query, AnyRecord]) -> None:
        self._answers = answers
        self._asked: set[Query] = set()

    def find(self, query: Query) -> Resolution | None:
        if query not in self._asked:
            self._asked.add(query)
            return None
        return Resolution(query, self._answers.get(query))


def look(name: str, answers: dict[Query, AnyRecord]) -> FoundAnswer:
    return asyncio.run(look_up(name, Known(answers).find, RECORDS))


def test_a_host_comes_with_where_it_is_attached() -> None:
    answers: dict[Query, AnyRecord] = {
        Named("bob.isp-a"): BOB,
        Addressed(HOST): BOB,
        Attached(HOST): AT,
    }

    found = look("bob.isp-a", answers)

    assert (found.kind, found.names, found.nodes) == ("host", ("bob.isp-a",), ("sn1.isp-a",))
    assert (found.expires_unix_s, found.attached_until_unix_s) == (70, 80)
    assert look(format_address(HOST), answers).address == found.address


def test_a_host_that_is_attached_nowhere_has_no_nodes() -> None:
    found = look("bob.isp-a", {Named("bob.isp-a"): BOB})

    assert (found.kind, found.nodes, found.attached_until_unix_s) == ("host", (), None)


def test_groups_nodes_and_what_is_not_there_are_told_apart() -> None:
    news = GroupRecord(HOST, "news.isp-a", KEY, (NODE,), 1, 60)

    assert look("news.isp-a", {Named("news.isp-a"): news}).nodes == ("sn1.isp-a",)
    assert look("sn1.isp-a", {Named("sn1.isp-a"): SN1}).kind == "node"
    assert look("al.isp-a", {}) == FoundAnswer("al.isp-a")
    with pytest.raises(LocalError):
        look("not:an:address", {})
