"""The worker of a service as its node shows it."""

import os
from pathlib import Path

import pytest

from ei.node.service_worker import ServiceWorker
from ei.node.worker_orders import order_of
from ei.runtime.loader import load_service
from ei.sdk import Address


@pytest.fixture
def worker() -> ServiceWorker:
    echo = load_service("echo")
    order = order_of(
        echo, node=Address(b"n" * 16), store=Path("/"), config={}, is_jailed=True, trusted=()
    )
    return ServiceWorker(echo, order, "sha256:1")


def test_a_worker_that_has_not_begun_uses_nothing(worker: ServiceWorker) -> None:
    status = worker.status(is_process=True, is_watched=False)

    assert (status.service, status.state, status.pid, status.cpu_s) == ("echo", "waiting", 0, None)
    assert status.digest == "sha256:1"
    assert not worker.is_there


def test_a_worker_that_runs_says_what_its_process_uses(worker: ServiceWorker) -> None:
    worker.started(os.getpid())

    status = worker.status(is_process=True, is_watched=True)

    assert (status.state, status.is_watched, worker.is_there) == ("running", True, True)
    assert status.memory_bytes
    assert worker.status(is_process=False, is_watched=False).memory_bytes is None
