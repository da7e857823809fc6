"""Each kind of record has one form of bytes."""

import msgspec
import pytest

from ei.records.kinds import (
    Absence,
    AnyRecord,
    AttachmentRecord,
    DomainRecord,
    Enrolment,
    GroupRecord,
    NodeRecord,
)
from ei.records.signed import encode_body
from ei.sdk.packets import Address

HOST = Address(b"h" * 16)
NODE = Address(b"n" * 16)
KEY = b"k" * 32

RECORDS: list[AnyRecord] = [
    DomainRecord("isp-a", 1, 9),
    Enrolment(HOST, ("alice.isp-a",), KEY, KEY, 9),
    NodeRecord(NODE, "sn1.isp-a", KEY, KEY, ("127.0.0.1:3535",), (16,), 9),
    AttachmentRecord(HOST, (NODE,), 7, 9),
    NodeRecord(NODE, "sn1.isp-a", KEY, KEY, ("127.0.0.1:3535",), (16,), 9, (48, 11)),
    GroupRecord(HOST, "news.isp-a", KEY, (NODE,), 7, 9, (2, HOST), (0,)),
    Absence("nobody.isp-a", b"", False, 9),  # noqa: FBT003 as on the wire
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_of_each_kind_survives_its_bytes(record: AnyRecord) -> None:
    encoded = encode_body(record)

    assert msgspec.msgpack.decode(encoded, type=AnyRecord) == record


def test_the_bytes_of_a_record_are_pinned() -> None:
    assert encode_body(RECORDS[0]).hex() == "9601a56973702d6101099090"
    assert encode_body(RECORDS[6]).hex() == "9508ac6e6f626f64792e6973702d61c400c209"


def test_a_node_that_is_nowhere_has_the_bytes_that_it_had_before_nodes_had_locations() -> None:
    before = [3, NODE, "sn1.isp-a", KEY, KEY, ["127.0.0.1:3535"], [16], 9]

    assert encode_body(RECORDS[2]) == msgspec.msgpack.encode(before)
    assert encode_body(RECORDS[4]) == msgspec.msgpack.encode([*before, [48, 11]])


def test_a_record_with_a_field_too_many_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode([1, "isp-a", 1, 9, 0]), type=AnyRecord)
