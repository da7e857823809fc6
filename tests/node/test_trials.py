"""A module is tried beside the one that runs; in earnest: `test_workers.py`."""

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from ei.errors import ServiceError
from ei.node.trials import Trials
from ei.node.worker_orders import order_of
from ei.runtime.children import WorkerExited, WorkerStarted
from ei.runtime.loader import load_service
from ei.runtime.nursery import Nursery
from ei.runtime.worker import WorkerOrder
from ei.sdk import Address

ECHO = load_service("echo")


class Ending(Nursery):
    """A nursery whose workers end at once, and say how."""

    def __init__(self, cause: str) -> None:
        with socket.socket() as control:
            super().__init__(os.getpid(), control)
        self.cause = cause
        self.stores: list[Path] = []
        self.trials: Trials | None = None

    def start_worker(
        self, service: int, order: WorkerOrder, sockets: Sequence[socket.socket]
    ) -> None:
        self.stores.append(Path(order.store))
        assert self.trials is not None
        assert self.trials.take_report(WorkerStarted(service, 5))
        assert self.trials.take_report(WorkerExited(service, 5, self.cause))


def run(cause: str, folder: Path) -> Ending:
    nursery = Ending(cause)
    trials = nursery.trials = Trials(nursery, folder)
    order = order_of(
        ECHO, node=Address(b"n" * 16), store=folder, config={}, is_jailed=False, trusted=()
    )
    asyncio.run(trials.run(ECHO, order))
    return nursery


def test_what_starts_and_ends_is_fit_to_run_and_leaves_nothing(tmp_path: Path) -> None:
    nursery = run("exit 0", tmp_path)

    assert nursery.stores[0].parent.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_start_is_said_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="its worker does not start: no such word"):
        _ = run("no such word", tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_what_a_node_that_was_killed_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("trial-abc/store", "modules/trial-abc"):
        (tmp_path / name).mkdir(parents=True)

    _ = run("exit 0", tmp_path)

    assert [each.name for each in tmp_path.iterdir()] == ["modules"]


def test_reports_of_workers_are_not_for_trials(tmp_path: Path) -> None:
    trials = Trials(Ending("exit 0"), tmp_path)

    assert not trials.take_report(WorkerExited(17, 5, "exit 1"))
    assert trials.take_report(WorkerExited(-17, 5, "exit 1"))
