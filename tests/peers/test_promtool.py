"""Prometheus's own checker accepts what a node serves."""

import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.node.conftest import RunningNode
from tests.node.test_daemon import with_metrics
from tests.node.test_metrics import NODE, peer, running
from tests.node.test_metrics_of_registry import REGISTRY

from ei.node.ceiling import MemoryStatus
from ei.node.metrics import METRICS, metrics_text
from ei.node.observed import Observed
from ei.node.stream_status import ServiceStreams, StreamStatus

pytestmark = pytest.mark.slow


def check(promtool: str, text: str) -> None:
    """Let promtool judge a page; it complains about names and helps as well."""
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_it_accepts_the_page_of_a_running_node(
    promtool: str, start_node: Callable[[Path], RunningNode], node_file: Path
) -> None:
    endpoint = with_metrics(node_file)
    start_node(node_file).wait_ready()

    with urllib.request.urlopen(f"http://{endpoint}/metrics", timeout=5) as answer:
        text = answer.read().decode()

    check(promtool, text)


def test_it_accepts_every_metric_there_is(promtool: str) -> None:
    node = msgspec.structs.replace(
        NODE,
        peers=(peer("sn2.isp-b"),),
        copies_dropped={"no_pipe": 1},
        refused_messages={"malformed": 1},
        streams=StreamStatus(closed={"reset": 1}, services={"termination": ServiceStreams(1, 2)}),
    )

    memory = MemoryStatus(2, 1, is_tight=True, given_up={"kept": 1}, forgotten_bytes=3)
    status = msgspec.structs.replace(running(node), memory=memory, registry=REGISTRY)
    text = metrics_text(Observed(status, unix_s=1_900.25, version='1.0"\\'))

    assert text.count("# TYPE ") == len(METRICS)
    check(promtool, text)
