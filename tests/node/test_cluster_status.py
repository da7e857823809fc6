"""What a member says of its cluster, as JSON."""

import msgspec

from ei.cluster.keeper import Standing
from ei.node.cluster_status import ClusterStatus, CopyStatus, MemberStatus, ReplicaStatus


def test_it_is_plain_data_that_comes_back_as_it_was() -> None:
    standing = Standing(4, 2, "owning", is_whole=True, is_new=False, is_serving=True, index=9)
    copy = CopyStatus("sn2.isp-a", 9, is_lost=False, is_in_transfer=False)
    replica = ReplicaStatus("register", 2, "sn1.isp-a", ("sn1.isp-a",), standing, (copy,))
    member = MemberStatus("sn1.isp-a", is_leaving=False, is_live=True, is_up=True)
    status = ClusterStatus("isp-a", "", (member,), (replica,), {"no_member": 1})

    told = msgspec.to_builtins(status)

    assert told["replicas"][0]["copies"][0]["member"] == "sn2.isp-a"
    assert msgspec.convert(told, ClusterStatus) == status
