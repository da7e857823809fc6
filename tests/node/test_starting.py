"""What a node has first; that its workers know none of its keys is in test_daemon.py."""

from ei.node.config import NodeConfig
from ei.node.starting import start_nursery


def test_workers_that_are_threads_have_no_parent() -> None:
    config = NodeConfig(
        version=1, name="sn1.isp-a", domain_number=1, binds=("127.0.0.1:0",), workers="inline"
    )

    assert start_nursery(config) is None
