"""Workers are started, and started again with back-off; real processes, no network."""

import asyncio
import errno
import io
import json
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ei.daemons.log import Log
from ei.errors import LimitError, LocalError
from ei.node.workers import Workers
from ei.runtime.batches import EventBatch
from ei.runtime.children import WorkerExited, WorkerJailed, WorkerStarted
from ei.runtime.jail import OF_KERNEL, Jail
from ei.runtime.loader import FoundService, load_service
from ei.sdk import Address, Started

NODE = Address(b"\xfd\x35\0\0\0\1" + b"n" * 10)


class Sockets:
    """An engine that only holds the workers' sockets."""

    def __init__(self) -> None:
        self.held: dict[int, list[socket.socket]] = {}
        self.attached = 0
        self.paused = 0

    def attach_worker(self, service: int, sockets: list[int]) -> None:
        self.attached += 1
        self.held[service] = [socket.socket(fileno=number) for number in sockets]

    def pause_worker(self, service: int) -> int:
        self.paused += 1
        return 0

    def detach_worker(self, service: int) -> None:
        for end in self.held.pop(service, []):
            end.close()


class FullSockets(Sockets):
    """An engine that has no descriptor left, one time."""

    def __init__(self, refused: int = 1) -> None:
        super().__init__()
        self.refused = refused

    def attach_worker(self, service: int, sockets: list[int]) -> None:
        self.detach_worker(service)
        super().attach_worker(service, sockets)
        if self.attached == self.refused:
            self.detach_worker(service)
            raise OSError(errno.EMFILE, "Too many open files")


def workers(
    sockets: Sockets,
    folder: Path,
    on_version: Callable[[FoundService, str], object] = lambda _service, _why: None,
) -> Workers:
    return Workers(
        [load_service("echo")],
        node=NODE,
        state=folder,
        config={},
        threads=2,
        engine=sockets,
        nursery=None,
        log=Log(io.StringIO()),
        on_version=on_version,
    )


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what happens in another process or thread."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 it happens outside this loop
            await asyncio.sleep(0.005)


PROGRAM = """
import asyncio, io, json, socket, sys
from pathlib import Path
from ei.daemons.log import Log
from ei.errors import NotFoundError, ServiceError
from ei.node.workers import Workers
from ei.runtime.loader import load_service, read_service
from ei.runtime.nursery import Nursery
from ei.sdk import Address

nursery = Nursery.start()
held = []

class Sockets:
    def attach_worker(self, service, sockets):
        held.append([socket.socket(fileno=number) for number in sockets])
        for before in held[:-1]:
            for end in before:
                end.close()
    def pause_worker(self, service):
        return 0
    def detach_worker(self, service):
        pass

async def until(is_so):
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.005)

async def main():
    workers = Workers(
        [load_service("echo")], node=Address(b"n" * 16), state=Path(sys.argv[1]), config={},
        threads=2, engine=Sockets(), nursery=nursery, log=Log(io.StringIO()),
    )
    def take():
        for report in nursery.take_reports():
            workers.take_report(report)
    asyncio.get_running_loop().add_reader(nursery.fileno(), take)
    workers.start()
    await until(lambda: workers.status()[0].state == "running")
    first = workers.status()[0].pid
    workers.kill("echo")
    await until(lambda: workers.status()[0].pid not in (0, first))
    try:
        workers.kill("dns")
    except NotFoundError as error:
        refusal = str(error)
    workers.stop()
    status = workers.status()[0]
    sockets = [len(ends) for ends in held]
    print(json.dumps([status.starts, status.last_end, sockets, refusal]))

asyncio.run(main())
nursery.close()
"""


@pytest.mark.slow
def test_a_killed_worker_is_started_again_on_new_sockets(tmp_path: Path) -> None:
    # A nursery is forked by a process that has one thread; this one may have more.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    starts, last_end, sockets, refusal = json.loads(done.stdout)
    assert (starts, last_end, sockets) == (2, "SIGKILL", [2, 2])
    assert refusal == "no service 'dns' runs here; there are: echo"


def test_a_stopped_node_starts_no_worker_again(tmp_path: Path) -> None:
    sockets = Sockets()

    async def main() -> None:
        running = workers(sockets, tmp_path)
        running.stop()
        running.take_report(WorkerStarted(17, 5))
        running.take_report(WorkerExited(17, 5, "exit 1"))
        await asyncio.sleep(0.1)
        assert running.status()[0].state == "waiting"
        assert running.status()[0].last_end == "exit 1"

    asyncio.run(main())

    assert sockets.attached == 0


def test_c5_a_worker_that_dies_five_times_in_a_row_is_failing(tmp_path: Path) -> None:
    async def main() -> None:
        running = workers(Sockets(), tmp_path)
        running.stop()
        states: list[str] = []
        for _ in range(6):
            running.take_report(WorkerStarted(17, 5))
            running.take_report(WorkerJailed(17, 5, Jail(OF_KERNEL)))
            assert running.status()[0].jail == Jail(OF_KERNEL)
            running.take_report(WorkerExited(17, 5, "exit 1"))
            states.append(running.status()[0].state)
            assert running.status()[0].jail is None
        assert states == ["waiting"] * 4 + ["failing"] * 2

    asyncio.run(main())


TAKES_OVER = (
    PROGRAM.partition("async def main")[0]
    + r"""
folder = Path(sys.argv[1])
MANIFEST = 'id = 4026531999\nname = "plain"\nversion = "%s"\nsummary = "x"\nstable_bytes = 65536\n'
CODE = {
    "lives": "from ei.sdk import Service\nclass Plain(Service):\n    __slots__ = ()\n"
             "    def on_packet(self, event, ctx):\n        return ()\nSERVICE = Plain\n",
    "broken": "raise RuntimeError('never tried')\n",
}
def module(version, code):
    made = folder / version / "plain"
    made.mkdir(parents=True)
    (made / "manifest.toml").write_text(MANIFEST % version)
    (made / "service.py").write_text(CODE[code])
    return read_service(made)

async def main():
    versions = []
    (folder / "state").mkdir()
    workers = Workers(
        [module("0.1.0", "lives")], node=Address(b"n" * 16), state=folder / "state", config={},
        threads=1, engine=Sockets(), nursery=nursery, log=Log(io.StringIO()), is_jailed=False,
        trusted=["plain"],
        on_version=lambda service, why: versions.append((service.manifest.version, why)),
    )
    def take():
        for report in nursery.take_reports():
            workers.take_report(report)
    asyncio.get_running_loop().add_reader(nursery.fileno(), take)
    workers.start()
    runs = lambda: workers.status()[0].state == "running" and workers.status()[0].pid
    await until(runs)
    first = runs()
    try:
        await workers.replace(module("0.2.0", "broken"))
    except ServiceError as error:
        refusal = str(error)
    stayed = runs() == first
    await workers.replace(module("0.3.0", "lives"))
    await until(lambda: runs() and runs() != first)
    second = runs()
    workers.kill("plain")
    await until(lambda: runs() and runs() != second)
    last_end = workers.status()[0].last_end
    workers.halt("plain", "it leaks")  # the engine above does not hang up
    await until(lambda: workers.status()[0].state == "halted")
    workers.stop()
    status = workers.status()[0]
    print(json.dumps([stayed, refusal, versions, last_end, status.starts, status.last_end]))

asyncio.run(main())
nursery.close()
"""
)


@pytest.mark.slow
def test_d9_another_version_is_tried_first_takes_over_and_gives_way_when_it_does_not_live(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TAKES_OVER, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    stayed, refusal, versions, last_end, starts, halted = json.loads(done.stdout)
    assert stayed
    assert "plain 0.2.0: its worker does not start" in refusal
    assert "never tried" in refusal
    assert versions == [["0.3.0", ""], ["0.1.0", "0.3.0: SIGKILL"]]
    assert (last_end, starts, halted) == ("SIGKILL", 3, "it leaks")


@pytest.mark.slow
def test_a_worker_may_be_a_thread_and_is_started_again_as_well(tmp_path: Path) -> None:
    sockets = Sockets()

    async def main() -> None:
        running = workers(sockets, tmp_path)
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


@pytest.mark.slow
def test_another_version_takes_over_from_a_thread_as_well(tmp_path: Path) -> None:
    sockets = Sockets()

    async def main() -> None:
        running = workers(sockets, tmp_path)
        running.start()
        old = sockets.held.get(17, [])
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(running.replace(load_service("echo")))
            await until(lambda: sockets.attached == 2)
            for end in old:
                end.close()
        assert (running.status()[0].state, running.status()[0].starts) == ("running", 2)
        running.stop()
        sockets.detach_worker(17)
        await until(lambda: running.status()[0].pid == 0)

    asyncio.run(main())


@pytest.mark.slow
def test_a_version_for_which_no_descriptor_is_left_does_not_stop_the_one_that_runs(
    tmp_path: Path,
) -> None:
    sockets, again = Sockets(), load_service("echo")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def main() -> None:
        running = workers(sockets, tmp_path)
        running.start()
        datapath = sockets.held[17][0]
        _ = datapath.send(msgspec.msgpack.encode(EventBatch(1, 0, 1.0, 2.0, (Started(),))))
        assert datapath.recv(65_536)  # it has opened all that it needs
        await asyncio.to_thread(lambda: None)  # which loads what it needs
        before = running.status()
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            with pytest.raises(LimitError, match=r"cannot begin echo .*: Too many open files"):
                await running.replace(again)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert running.status() == before
        running.stop()
        sockets.detach_worker(17)
        await until(lambda: running.status()[0].pid == 0)

    asyncio.run(main())

    assert (sockets.attached, sockets.paused) == (1, 0)


@pytest.mark.slow
def test_a_version_that_cannot_be_begun_after_all_leaves_the_one_before(tmp_path: Path) -> None:
    sockets, told = FullSockets(refused=2), list[str]()

    async def main() -> None:
        running = workers(sockets, tmp_path, on_version=lambda _, why: told.append(why))
        running.start()
        with pytest.raises(LocalError, match=r"echo .* cannot be started: Too many open files"):
            await running.replace(load_service("echo"))
        await until(lambda: running.status()[0].state == "running")
        assert running.status()[0].starts == 2
        running.stop()
        sockets.detach_worker(17)
        await until(lambda: running.status()[0].pid == 0)

    asyncio.run(main())

    assert told == ["", ""]


@pytest.mark.slow
def test_a_worker_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    sockets = FullSockets()

    async def main() -> None:
        running = workers(sockets, tmp_path)
        running.start()
        assert running.status()[0].state == "waiting"
        assert running.status()[0].last_end == "cannot be started: Too many open files"
        await until(lambda: running.status()[0].state == "running")
        running.stop()
        sockets.detach_worker(17)
        await until(lambda: running.status()[0].state == "waiting")

    asyncio.run(main())

    assert sockets.attached == 2
