"""How a cluster is shown."""

import io

from ei.cli.clusters import here, show_cluster
from ei.cli.output import Output
from ei.cluster.keeper import Standing
from ei.node.cluster_status import ClusterStatus, MemberStatus, ReplicaStatus

SERVES = Standing(4, 2, "owning", is_whole=True, is_new=False, is_serving=True, index=9)


def shown(cluster: ClusterStatus) -> str:
    stdout = io.StringIO()
    show_cluster(cluster, Output(stdout=stdout, stderr=stdout, environ={}))
    return stdout.getvalue()


def replica(standing: Standing | None) -> ReplicaStatus:
    return ReplicaStatus("register", 2, "sn1.isp-a", ("sn1.isp-a", "sn2.isp-a"), standing, ())


def test_members_and_owners_are_shown() -> None:
    member = MemberStatus("sn2.isp-a", is_leaving=True, is_live=False, is_up=False)

    text = shown(ClusterStatus("isp-a", "", (member,), (replica(SERVES),), {}))

    assert "cluster isp-a" in text
    assert "sn2.isp-a  ended  down  leaving" in text
    assert "register      2  sn1.isp-a  sn1.isp-a, sn2.isp-a  serves        9" in text


def test_an_etcd_that_does_not_answer_is_marked_with_what_follows() -> None:
    text = shown(ClusterStatus("isp-a", "etcd does not answer: nobody", (), (), {}))

    assert "etcd does not answer: nobody; owners stay as they are" in text


def test_what_a_replica_does_is_one_word() -> None:
    follows = Standing(4, 2, "following", is_whole=True, is_new=False)
    damaged = Standing(4, 2, "following", is_whole=False, is_new=False)
    waits = Standing(4, 2, "waiting", is_whole=True, is_new=False)

    said = [here(replica(standing)) for standing in (None, SERVES, follows, damaged, waits)]

    assert said == ["no worker", "serves", "follows", "is repaired", "waits"]
