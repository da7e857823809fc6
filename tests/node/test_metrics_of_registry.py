"""A registry that is followed is in the metrics; one that is not leaves no rows."""

import msgspec
from tests.node.test_metrics import running

from ei.node.metrics import metrics_text
from ei.node.observed import Observed
from ei.node.registry_status import FollowedStatus, RegistryStatus

REGISTRY = RegistryStatus(
    "http://r:1", 1, 940.0, 3.0, "", {}, (FollowedStatus("hello", share=0.05),),
    polls={"ok": 3, "freeze": 1}, changes={"taken": 2},
)  # fmt: skip


def test_polls_changes_and_shares_are_told() -> None:
    followed = msgspec.structs.replace(running(), registry=REGISTRY)

    text = metrics_text(Observed(followed, unix_s=1_000.0, version="1"))

    for line in (
        'ei_registry_polls_total{result="freeze"} 1',
        'ei_registry_changes_total{why="taken"} 2',
        "ei_registry_seen_seconds 940",
        'ei_registry_share{service="hello"} 0.05',
    ):
        assert line in text
    assert "ei_registry_polls_total{" not in metrics_text(
        Observed(running(), unix_s=1_000.0, version="1")
    )
