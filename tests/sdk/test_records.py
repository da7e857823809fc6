import msgspec

from ei.sdk import (
    Address,
    Attachment,
    AttachmentOf,
    Group,
    GroupOf,
    Node,
    NodeAt,
    NodeStatement,
    OwnStatement,
    Query,
    Record,
    Route,
    RouteTo,
    ServiceAt,
)
from ei.sdk.records import stated

A = Address(b"a" * 16)
A_HEX = "c410" + "61" * 16


def test_queries_are_arrays_that_start_with_their_tag() -> None:
    queries: list[Query] = [
        AttachmentOf(A),
        GroupOf(A),
        RouteTo(3, (5,)),
        ServiceAt(32),
        OwnStatement(b"k"),
        NodeAt(A),
    ]

    assert [msgspec.msgpack.encode(query).hex() for query in queries] == [
        f"9200{A_HEX}",
        f"9201{A_HEX}",
        "95020391059000",
        "920320",
        "9204c4016b",
        f"9206{A_HEX}",
    ]


def test_records_are_arrays_that_start_with_their_tag() -> None:
    records: list[Record] = [
        Attachment(A, (A,)),
        Group(A, (A, A)),
        Route((A,)),
        NodeStatement(A, 66, b"k", A * 2, A * 4),
        Node(A, (16, 68)),
    ]

    assert [msgspec.msgpack.encode(record).hex() for record in records] == [
        f"9300{A_HEX}91{A_HEX}",
        f"9501{A_HEX}92{A_HEX}{A_HEX}91009100",
        f"920291{A_HEX}",
        f"9603{A_HEX}42c4016bc420{'61' * 32}c440{'61' * 64}",
        f"9305{A_HEX}921044",
    ]


def test_queries_are_keys() -> None:
    assert len({AttachmentOf(A), AttachmentOf(Address(b"a" * 16)), GroupOf(A)}) == 2


def test_a_group_is_for_those_whom_it_names() -> None:
    isp_b = Address(b"\xfd\x35\0\0\0\2" + b"b" * 10)
    isp_c = Address(b"\xfd\x35\0\0\0\3" + b"c" * 10)

    named = Group(A, (A,), senders=(2,), members=(isp_c,))

    assert [named.may_send(host) for host in (isp_b, isp_c)] == [True, False]
    assert [named.may_join(host) for host in (isp_b, isp_c)] == [False, True]
    assert not Group(A, (A,), senders=()).may_send(isp_b)
    assert Group(A, (A,)).may_join(isp_b)


def test_what_a_node_signs_begins_with_what_it_is() -> None:
    assert stated(A, 66, b"body") == b"ei node statement 1\0" + A + bytes((66, 0, 0, 0)) + b"body"
