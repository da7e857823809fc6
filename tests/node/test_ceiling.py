"""A node's ceiling of memory: who goes, and that a real node stays below it."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import msgspec
import pytest
from tests.node.test_daemon import with_metrics
from tests.node.test_terminating import HERE, allow, reversed_by, reversing

from ei.errors import EiError
from ei.host.client import Host
from ei.host.connect import connect
from ei.node.ceiling import (
    AGAIN_S,
    MIB,
    Ceiling,
    MemoryStatus,
    ceiling_bytes,
    held_bytes,
    machine_bytes,
    resident_bytes,
    stream_bytes,
)
from ei.services.termination.client import open_legacy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node.conftest import RunningNode

CEILING_MIB = 64
STREAMS = 48
HALF_OPEN = 2_000
HONEST_S = 5.0
"""Until a new stream is open and answered: 2 s, and what a machine that is busy takes."""
HELD = {"delivery": 30, "caching": 50, "echo": 10}


def test_without_a_configuration_it_is_half_of_the_machine() -> None:
    assert ceiling_bytes(0, machine_bytes=4_096 * MIB) == 2_048 * MIB
    assert ceiling_bytes(300, machine_bytes=4_096 * MIB) == 300 * MIB
    assert 0 < machine_bytes() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_streams_get_half_of_it_and_never_more_than_a_gibibyte() -> None:
    assert stream_bytes(300 * MIB) == 150 * MIB
    assert stream_bytes(8_192 * MIB) == 1_024 * MIB


def test_below_it_nobody_goes() -> None:
    assert Ceiling(limit_bytes=110).choose(HELD, own_bytes=20, now_s=1.0) is None


def test_b7_above_it_what_is_kept_goes_first() -> None:
    ceiling = Ceiling(limit_bytes=100)

    assert ceiling.choose(HELD, own_bytes=20, now_s=0.75) is None
    assert ceiling.is_tight
    assert ceiling.choose(HELD, own_bytes=5, now_s=1.0) is None
    assert not ceiling.is_tight
    assert ceiling.status().given_up == {"kept": 1, "worker": 0}
    assert ceiling.status().held_bytes == 95


def test_b7_above_it_the_worker_that_holds_most_goes_and_then_the_next() -> None:
    ceiling = Ceiling(limit_bytes=100)
    assert ceiling.choose(HELD, own_bytes=20, now_s=0.75) is None

    assert ceiling.choose(HELD, own_bytes=20, now_s=1.0) == "caching"
    assert ceiling.choose(HELD, own_bytes=20, now_s=1.0 + AGAIN_S / 2) is None
    fewer = {**HELD, "caching": 5}
    assert ceiling.choose(fewer, own_bytes=90, now_s=1.0 + AGAIN_S) == "delivery"
    assert ceiling.ended == 2


def test_without_workers_there_is_nobody_to_end() -> None:
    for held in ({}, {"echo": 0}):
        ceiling = Ceiling(limit_bytes=100, is_tight=True)
        assert ceiling.choose(held, own_bytes=200, now_s=1.0) is None
        assert ceiling.status().given_up == {"kept": 0, "worker": 0}


def test_what_a_process_holds_is_read_and_what_is_gone_holds_nothing() -> None:
    assert MIB < held_bytes(os.getpid()) <= resident_bytes(os.getpid())
    assert held_bytes(2**22) == resident_bytes(2**22) == 0


@pytest.mark.slow
def test_b7_a_node_over_its_ceiling_ends_a_worker_and_goes_on(
    node_file: Path, start_node: "Callable[[Path], RunningNode]"
) -> None:
    metrics = with_metrics(node_file)
    text = node_file.read_text()
    _ = node_file.write_text(f"memory_limit_mib = 32\n{text}")
    node = start_node(node_file)

    def has_ended_one() -> bool:
        workers = node.ask("status")["workers"]
        assert isinstance(workers, list)
        return any(worker["last_end"] for worker in workers)

    node.wait_until(has_ended_one)

    assert "memory ceiling reached" in node.log.read_text()
    memory = msgspec.convert(node.ask("status")["memory"], MemoryStatus)
    assert memory.limit_bytes == 32 * MIB
    assert memory.given_up["kept"] >= 1 <= memory.given_up["worker"]
    with urlopen(f"http://{metrics}/metrics", timeout=5) as answer:
        page = answer.read().decode()
    assert f'ei_memory_bytes{{what="limit"}} {32 * MIB}' in page


@asynccontextmanager
async def flooding() -> AsyncGenerator[int]:
    """Send without end to whoever comes; yield the port."""
    writers: list[asyncio.StreamWriter] = []

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writers.append(writer)
        with suppress(ConnectionError):
            while True:
                writer.write(bytes(65_536))
                await writer.drain()

    async with await asyncio.start_server(pour, HERE, 0) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for writer in writers:
                writer.transport.abort()
            _ = await asyncio.gather(
                *(writer.wait_closed() for writer in writers), return_exceptions=True
            )


def knock(node_file: Path) -> None:
    """Begin handshakes with a node that are never gone on with."""
    address, _, port = (
        node_file.read_text().partition('binds = ["')[2].partition('"')[0].partition(":")
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        for number in range(HALF_OPEN):
            opening = bytes([0x11]) + number.to_bytes(4, "little") + bytes(1_195)
            _ = opened.sendto(opening, (address, int(port)))


async def hold(host: Host, port: int) -> int:
    """Have a host open streams that it never reads; return how many it got."""
    room = asyncio.Semaphore(16)

    async def one() -> bool:
        async with room:
            try:
                _ = await open_legacy(host, HERE, port, deadline_s=1.0)
            except EiError:
                return False
            return True

    return sum(await asyncio.gather(*(one() for _ in range(STREAMS))))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_b7_under_slow_readers_a_node_stays_below_its_ceiling_and_serves_the_newest(
    terminating: Path, start_node: "Callable[[Path], RunningNode]"
) -> None:
    text = terminating.read_text()
    _ = terminating.write_text(f"memory_limit_mib = {CEILING_MIB}\n{text}")
    allow(terminating, '[internet] allow = ["127.0.0.0/8:1024-65535"]')
    node = start_node(terminating)
    node.wait_ready()
    most = 0

    def held() -> int:
        return sum(map(held_bytes, (node.process.pid, *node.pids().values())))

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, await asyncio.to_thread(held))
            await asyncio.sleep(0.1)

    async def program() -> tuple[int, bytes]:
        folder = terminating.parents[1]
        async with (
            flooding() as flood,
            reversing() as port,
            connect(folder / "alice/host.toml") as alice,
            connect(folder / "bob/host.toml") as bob,
            asyncio.TaskGroup() as group,
        ):
            watching = group.create_task(watch())
            knock(terminating)
            got = await hold(alice, flood)
            async with asyncio.timeout(HONEST_S):
                said = await reversed_by(bob, port, b"stressed")
            _ = watching.cancel()
            return got, said

    got, said = asyncio.run(program())

    assert said == b"desserts"
    assert got > 1
    assert most <= 1.1 * CEILING_MIB * MIB
    workers = node.ask("status")["workers"]
    assert isinstance(workers, list)
    assert [worker["last_end"] for worker in workers] == ["", ""]
