"""Metrics are made from one moment of a node; which: `test_metrics.py`."""

import dataclasses

from ei.node.observed import Observed


def test_it_has_the_node_the_time_and_the_version() -> None:
    assert [field.name for field in dataclasses.fields(Observed)] == [
        "running",
        "unix_s",
        "version",
    ]
