"""Queries are answered from verified records alone."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import verify_records
from ei.records.resolver import answer_query, resolve_query
from ei.sdk.packets import Address
from ei.sdk.records import (
    Attachment,
    AttachmentOf,
    Group,
    GroupOf,
    Query,
    Record,
    Route,
    RouteTo,
    ServiceAt,
)

DOMAIN, ALICE, NODE = (make_keys(letter * 32) for letter in (b"d", b"a", b"n"))
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)
NODES = (NODE.address(1),)
RECORDS = verify_records(
    [
        ISSUER.domain(),
        ISSUER.node(NODE, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=(16,)),
        ISSUER.enrol(ALICE, "alice.isp-a"),
        ISSUER.attach(ALICE, nodes=NODES, sequence=1),
        ISSUER.group("news.isp-a", nodes=NODES, sequence=1),
    ],
    trust={"isp-a": DOMAIN.identity_key},
    unix_s=1_000,
)


def answer(query: Query, *, unix_s: float = 1_000) -> Record | None:
    found = answer_query(msgspec.msgpack.encode(query), RECORDS, unix_s=unix_s)
    return None if found is None else msgspec.msgpack.decode(found, type=Record)


def test_an_attachment_is_found_and_comes_without_its_signatures() -> None:
    assert answer(AttachmentOf(ALICE.address(1))) == Attachment(ALICE.address(1), NODES)


def test_a_group_is_found() -> None:
    group = RECORDS.find("news.isp-a")

    assert answer(GroupOf(group)) == Group(group, NODES)


def test_the_nodes_of_a_domain_lead_to_it_and_those_of_a_service() -> None:
    assert answer(RouteTo(1)) == answer(ServiceAt(16)) == Route(NODES)
    assert answer(RouteTo(2)) is answer(ServiceAt(48)) is None


def test_who_has_no_record_is_not_found() -> None:
    assert answer(AttachmentOf(Address(bytes(16)))) is None
    assert answer(GroupOf(ALICE.address(1))) is None


def test_an_expired_record_is_no_answer() -> None:
    group = RECORDS.find("news.isp-a")

    assert resolve_query(AttachmentOf(ALICE.address(1)), RECORDS, unix_s=2_000) is None
    assert resolve_query(GroupOf(group), RECORDS, unix_s=2_000) is None


@given(st.binary(max_size=64))
def test_any_bytes_as_a_query_have_an_answer(query: bytes) -> None:
    found = answer_query(query, RECORDS, unix_s=1_000)

    assert found is None or msgspec.msgpack.decode(found, type=Record)
