"""A host, its node and a server, all of them real: what a node carries on, refuses and shows."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from ei.errors import DeniedError
from ei.host.client import Host
from ei.host.connect import connect
from ei.node.admin import RunningStatus
from ei.node.stream_status import StreamStatus
from ei.services.termination.client import open_legacy

if TYPE_CHECKING:
    from tests.node.conftest import RunningNode

pytestmark = pytest.mark.slow

HERE = "127.0.0.1"


@asynccontextmanager
async def reversing() -> AsyncGenerator[int]:
    """Serve what says all backwards, once it has heard the end; yield its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read())[::-1])
        writer.close()

    async with await asyncio.start_server(answer, HERE, 0) as server:
        yield server.sockets[0].getsockname()[1]


async def reversed_by(host: Host, port: int, said: bytes) -> bytes:
    stream = await open_legacy(host, HERE, port)
    await stream.write(said)
    await stream.finish()
    return await stream.read_all()


def allow(node_file: Path, line: str) -> None:
    table, _, rest = line.partition(" ")
    _ = node_file.write_text(f"{node_file.read_text()}\n{table}\n{rest}\n")


def streams_of(node: "RunningNode") -> StreamStatus:
    status = msgspec.convert(node.ask("status"), RunningStatus, strict=False)
    assert status.node.streams is not None
    return status.node.streams


def test_what_is_refused_is_shown_with_the_line_that_allows_it_after_a_reload(
    terminating: Path, start_node: "Callable[[Path], RunningNode]"
) -> None:
    node = start_node(terminating)
    node.wait_ready()

    async def program() -> bytes:
        async with (
            reversing() as port,
            connect(terminating.parents[1] / "alice/host.toml") as alice,
        ):
            with pytest.raises(DeniedError, match=f"does not allow {HERE}:{port}"):
                _ = await open_legacy(alice, HERE, port)
            (refused,) = streams_of(node).not_allowed
            assert (refused.host, refused.address, refused.port) == (HERE, HERE, port)

            allow(terminating, refused.allow)
            _ = node.ask("reload")
            return await reversed_by(alice, port, b"stressed")

    assert asyncio.run(program()) == b"desserts"
    node.wait_until(lambda: streams_of(node).open == 0)
    assert streams_of(node).closed.get("ended", 0) >= 1


@pytest.mark.parametrize("workers", ["process", "inline"])
def test_streams_are_counted_by_service_whatever_runs_its_worker(
    terminating: Path, start_node: "Callable[[Path], RunningNode]", workers: str
) -> None:
    _ = terminating.write_text(f'workers = "{workers}"\n{terminating.read_text()}')
    allow(terminating, '[internet] allow = ["127.0.0.0/8:1024-65535"]')
    node = start_node(terminating)
    node.wait_ready()

    async def program() -> list[bytes]:
        async with (
            reversing() as port,
            connect(terminating.parents[1] / "alice/host.toml") as alice,
        ):
            return [await reversed_by(alice, port, said) for said in (b"", b"ab", bytes(100_000))]

    assert asyncio.run(program()) == [b"", b"ba", bytes(100_000)]
    assert streams_of(node).services["termination"].opened == 6, "three, and three to the server"
    assert streams_of(node).spliced_bytes >= 2 * 100_002
