"""A node's status is typed and total."""

from ei.node.peers import Peer
from ei.node.status import node_status
from ei.records.kinds import NodeRecord
from ei.records.record_set import RecordSet, Refusal
from ei.sdk import Address, Manifest

NODE = Address(b"\xfd\x35\0\0\0\1" + b"n" * 10)
HOST = Address(b"\xfd\x35\0\0\0\1" + b"h" * 10)


def test_what_was_never_counted_is_zero() -> None:
    manifest = Manifest(id=16, name="delivery", version="1.0.0", summary="x")
    records = RecordSet(refused=(Refusal("node x", "expired"),))

    status = node_status(
        "sn1.isp-a",
        NODE,
        statistics={"socket_overflows": 3},
        manifests=[manifest],
        peers={HOST: Peer(b"k" * 32, "host", None)},
        records=records,
    )

    assert (status.received, status.dropped) == (0, {})
    assert (status.socket_overflows, status.thread_overflows) == (3, 0)
    assert (status.services[0].name, status.services[0].decisions) == ("delivery", 0)
    assert (status.peers[0].is_up, status.peers[0].rtt_s) == (False, None)
    assert status.refused_records == {"node x": "expired"}


def test_bytes_copies_and_the_end_of_the_own_record_are_told() -> None:
    own = NodeRecord(NODE, "sn1.isp-a", b"i" * 32, b"p" * 32, (), (), 2_000)

    status = node_status(
        "sn1.isp-a",
        NODE,
        statistics={"sent": 4, "received_bytes": 5, "sent_bytes": 6, "copies_dropped": {"x": 1}},
        manifests=[],
        peers={},
        records=RecordSet(nodes={NODE: own}),
    )

    assert (status.sent, status.received_bytes, status.sent_bytes) == (4, 5, 6)
    assert status.copies_dropped == {"x": 1}
    assert status.record_expires_unix_s == 2_000


def test_streams_are_told_where_there_are_some() -> None:
    joins = Manifest(id=32, name="joins", version="1.0.0", summary="x", capabilities=("streams",))

    without, with_some = (
        node_status(
            "sn1.isp-a",
            NODE,
            statistics=statistics,
            manifests=iter([joins]),
            peers={},
            records=RecordSet(),
        )
        for statistics in ({}, {"streams": {"open": 2, "services": {32: {"open": 2}}}})
    )

    assert without.streams is None
    assert with_some.streams is not None
    assert with_some.streams.services["joins"].open == 2
    assert with_some.services[0].name == "joins"
