"""A node's status is typed and total."""

from ei.node.peers import Peer
from ei.node.status import node_status
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
