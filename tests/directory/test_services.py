"""What services ask is asked of the directory, and what they get has no signatures."""

import pytest

from ei.directory import Addressed, Attached, Named, answer_of, asked_with, query_of
from ei.directory.messages import Query
from ei.directory.services import Asked
from ei.records.kinds import AttachmentRecord, DomainRecord, GroupRecord
from ei.sdk.packets import Address
from ei.sdk.records import Attachment, AttachmentOf, Group, GroupOf

HOST = Address(b"h" * 16)
NODES = (Address(b"n" * 16),)


@pytest.mark.parametrize(
    ("asked", "query"), [(AttachmentOf(HOST), Attached(HOST)), (GroupOf(HOST), Addressed(HOST))]
)
def test_a_question_goes_there_and_back(asked: Asked, query: Query) -> None:
    assert query_of(asked) == query
    assert asked_with(query) == asked
    assert asked_with(Named("bob.isp-b")) is None


def test_a_service_gets_what_it_asked_for_and_nothing_else() -> None:
    group = GroupRecord(HOST, "news.isp-a", b"k" * 32, NODES, 7, 9, (1,), ())

    assert answer_of(AttachmentRecord(HOST, NODES, 7, 9)) == Attachment(HOST, NODES)
    assert answer_of(group) == Group(HOST, NODES, senders=(1,), members=())
    assert answer_of(DomainRecord("isp-a", 1, 9)) is None
    assert answer_of(None) is None
