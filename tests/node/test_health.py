"""What is wrong with a node is named."""

import msgspec
from tests.node.test_metrics import NODE, running

from ei.node.health import health
from ei.node.service_worker import WorkerStatus


def test_health_names_what_is_wrong() -> None:
    sick = running(
        msgspec.structs.replace(NODE, refused_records={"node x": "expired"}),
        WorkerStatus("echo", 0, "waiting", 3, "exit 1"),
    )

    assert health(running(), unix_s=1_900) == {
        "workers": "",
        "records": "",
        "identity": "",
        "draining": "",
    }
    assert health(sick, unix_s=2_000) == {
        "workers": "no worker runs for echo",
        "records": "1 records are refused",
        "identity": "the record of this node has expired",
        "draining": "",
    }
