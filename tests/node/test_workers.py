"""Workers are started, and started again with back-off; real processes, no network."""

import asyncio
import io
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ei.daemons.log import Log
from ei.errors import LocalError, NotFoundError
from ei.node.workers import Workers
from ei.runtime.loader import load_service
from ei.runtime.nursery import Nursery, WorkerExited, WorkerStarted
from ei.sdk import Address

NODE = Address(b"\xfd\x35\0\0\0\1" + b"n" * 10)


class Sockets:
    """An engine that only holds the workers' sockets."""

    def __init__(self) -> None:
        self.held: dict[int, list[socket.socket]] = {}
        self.attached = 0

    def attach_worker(self, service: int, sockets: list[int]) -> None:
        self.attached += 1
        self.held[service] = [socket.socket(fileno=number) for number in sockets]

    def detach_worker(self, service: int) -> None:
        for end in self.held.pop(service, []):
            end.close()


def workers(sockets: Sockets, nursery: Nursery | None, folder: Path) -> Workers:
    return Workers(
        [load_service("echo")],
        node=NODE,
        state=folder,
        config={},
        threads=2,
        engine=sockets,
        nursery=nursery,
        log=Log(io.StringIO()),
    )


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what happens in another process or thread."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 it happens outside this loop
            await asyncio.sleep(0.005)


@pytest.mark.slow
def test_a_killed_worker_is_started_again_on_new_sockets(tmp_path: Path) -> None:
    nursery = Nursery.start()
    sockets = Sockets()

    async def main() -> None:
        running = workers(sockets, nursery, tmp_path)

        def take() -> None:
            for report in nursery.take_reports():
                running.take_report(report)

        asyncio.get_running_loop().add_reader(nursery.fileno(), take)
        running.start()
        await until(lambda: running.status()[0].state == "running")
        first = running.status()[0].pid
        running.kill("echo")
        await until(lambda: running.status()[0].pid not in (0, first))

        [status] = running.status()
        assert (status.starts, status.last_end) == (2, "SIGKILL")
        assert (sockets.attached, len(sockets.held[17])) == (2, 2)
        with pytest.raises(NotFoundError, match="no service 'dns' runs here; there are: echo"):
            running.kill("dns")
        running.stop()

    try:
        asyncio.run(main())
    finally:
        sockets.detach_worker(17)
        nursery.close()


def test_a_stopped_node_starts_no_worker_again(tmp_path: Path) -> None:
    sockets = Sockets()

    async def main() -> None:
        running = workers(sockets, None, tmp_path)
        running.stop()
        running.take_report(WorkerStarted(17, 5))
        running.take_report(WorkerExited(17, 5, "exit 1"))
        await asyncio.sleep(0.1)
        assert running.status()[0].state == "waiting"
        assert running.status()[0].last_end == "exit 1"

    asyncio.run(main())

    assert sockets.attached == 0


@pytest.mark.slow
def test_a_worker_may_be_a_thread_and_is_started_again_as_well(tmp_path: Path) -> None:
    sockets = Sockets()

    async def main() -> None:
        running = workers(sockets, None, tmp_path)
        running.start()
        assert running.status()[0].state == "running"
        with pytest.raises(LocalError, match="a thread cannot be killed"):
            running.kill("echo")
        # The datapath hangs up, as it does on a worker that sends nonsense.
        sockets.detach_worker(17)
        await until(lambda: running.status()[0].starts == 2)
        running.stop()
        sockets.detach_worker(17)
        await until(lambda: running.status()[0].state == "waiting")

    asyncio.run(main())
