"""What programs that watch a node are told."""

from http import HTTPStatus

import msgspec
import pytest
from tests.node.test_metrics import NODE, running

from ei.errors import LocalError
from ei.node.admin import RunningStatus
from ei.node.draining import DrainStatus
from ei.node.probes import probes
from ei.node.service_worker import WorkerStatus


def failed() -> RunningStatus:
    raise LocalError("the datapath has failed")


def test_a_node_that_can_serve_is_ready() -> None:
    page = probes(running, lambda: 1_900.0)["/readyz"]()

    assert (page.status, page.text) == (HTTPStatus.OK, "ready\n")


def test_a_service_without_a_worker_makes_it_unready_and_is_named() -> None:
    sick = running(worker=WorkerStatus("echo", 0, "waiting", 3, "exit 1"))

    page = probes(lambda: sick, lambda: 1_900.0)["/readyz"]()

    assert page.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert page.text == "no worker runs for echo\n"


def test_a_node_that_drains_is_not_ready() -> None:
    node = msgspec.structs.replace(NODE, drain=DrainStatus(3, 3, 1, 0, is_over=False))

    page = probes(lambda: running(node), lambda: 1_900.0)["/readyz"]()

    assert page.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert page.text == "the node drains, and stops then\n"


def test_a_record_of_a_stranger_does_not_make_it_unready() -> None:
    node = msgspec.structs.replace(NODE, refused_records={"node x": "expired"})

    assert probes(lambda: running(node), lambda: 1_900.0)["/readyz"]().status == HTTPStatus.OK


def test_it_is_alive_even_while_its_datapath_is_not() -> None:
    pages = probes(failed, lambda: 1_900.0)

    assert pages["/healthz"]().status == HTTPStatus.OK
    for path in ("/readyz", "/metrics"):
        with pytest.raises(LocalError):
            _ = pages[path]()


def test_metrics_come_as_prometheus_wants_them() -> None:
    page = probes(running, lambda: 1_900.0)["/metrics"]()

    assert page.content_type.startswith("text/plain; version=0.0.4")
    assert "ei_packets_received_total 9\n" in page.text
