"""The admin socket answers its user, refuses the rest, and survives nonsense."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ei.daemons.client import ask
from ei.daemons.messages import Answer, Request
from ei.daemons.server import AdminServer
from ei.errors import ConflictError, LocalError, NotFoundError, PeerError


async def echo(request: Request) -> AsyncIterator[Answer]:
    if request.verb == "fail":
        raise NotFoundError("nothing here")
    for number in range(request.arguments.get("steps", 0)):  # type: ignore[call-overload]
        yield {"schema": "ei.progress/1", "number": number}
    yield {"schema": "ei.echo/1", "arguments": request.arguments}


def run(path: Path, *asked: tuple[str, dict[str, object]]) -> list[object]:
    """Serve `echo` and ask it from another thread; return answers and errors."""

    async def main() -> list[object]:
        server = AdminServer(path, echo)
        await server.open()
        try:
            return [await asyncio.to_thread(_try, path, *each) for each in asked]
        finally:
            await server.close()

    return asyncio.run(main())


def _try(path: Path, verb: str, arguments: dict[str, object]) -> object:
    seen: list[Answer] = []
    try:
        return [*seen, ask(path, verb, arguments, on_progress=seen.append), *seen]
    except LocalError as error:
        return error


def test_requests_are_answered_with_progress_before(tmp_path: Path) -> None:
    [answer] = run(tmp_path / "s", ("echo", {"steps": 2}))

    assert answer == [
        {"schema": "ei.echo/1", "arguments": {"steps": 2}},
        {"schema": "ei.progress/1", "number": 0},
        {"schema": "ei.progress/1", "number": 1},
    ]


def test_an_error_is_an_answer_and_the_server_goes_on(tmp_path: Path) -> None:
    error, answer = run(tmp_path / "s", ("fail", {}), ("echo", {}))

    assert isinstance(error, NotFoundError)
    assert answer == [{"schema": "ei.echo/1", "arguments": {}}]


def test_nonsense_is_refused_and_the_server_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def main() -> tuple[bytes, bytes]:
        server = AdminServer(path, echo)
        await server.open()
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"nonsense\n" + b'{"verb": "echo"}\n')
        first, second = await reader.readline(), await reader.readline()
        writer.close()
        await writer.wait_closed()
        await server.close()
        return first, second

    first, second = asyncio.run(main())

    assert PeerError.__name__.encode() in first
    assert b"ei.echo/1" in second


def test_the_socket_is_its_owners_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def main() -> int:
        server = AdminServer(path, echo)
        await server.open()
        mode = stat.S_IMODE(path.stat().st_mode)
        await server.close()
        return mode

    assert asyncio.run(main()) == 0o600
    assert not path.exists()


def test_the_socket_of_a_dead_daemon_is_replaced_and_that_of_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))

    async def main() -> None:
        server = AdminServer(path, echo)
        await server.open()
        try:
            with pytest.raises(ConflictError, match="a daemon is running"):
                await AdminServer(path, echo).open()
        finally:
            await server.close()

    asyncio.run(main())


def talk(path: Path, said: bytes, *, answers: int) -> list[bytes]:
    """Serve `echo`, send bytes as they are, and return the lines that come back."""

    async def main() -> list[bytes]:
        server = AdminServer(path, echo)
        await server.open()
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(said)
        lines = [await reader.readline() for _ in range(answers)]
        writer.close()
        await writer.wait_closed()
        await server.close()
        return lines

    return asyncio.run(main())


def test_a_request_that_is_too_long_is_refused(tmp_path: Path) -> None:
    [refusal] = talk(tmp_path / "s", b"x" * 1_100_000 + b"\n", answers=1)

    assert b"at most 1048576 B long" in refusal


def test_too_many_clients_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def main() -> bytes:
        server = AdminServer(path, echo)
        await server.open()
        clients = [await asyncio.open_unix_connection(str(path)) for _ in range(65)]
        line = await clients[-1][0].readline()
        for _, writer in clients:
            writer.close()
            await writer.wait_closed()
        await server.close()
        return line

    assert b"more than 64 clients" in asyncio.run(main())


def test_a_client_that_says_nothing_loses_its_place(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def main() -> bytes:
        server = AdminServer(path, echo, idle_s=0.01)
        await server.open()
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b'{"verb": "ec')
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        await server.close()
        return said

    assert asyncio.run(main()) == b""


def test_a_client_that_reads_nothing_holds_neither_its_place_nor_the_server(tmp_path: Path) -> None:
    path = tmp_path / "s"
    dropped = asyncio.Event()

    async def flood(_request: Request) -> AsyncIterator[Answer]:
        try:
            while True:
                yield {"schema": "ei.progress/1", "filler": "x" * 65_536}
        finally:
            dropped.set()

    async def main() -> None:
        server = AdminServer(path, flood, idle_s=0.01)
        await server.open()
        clients = [await asyncio.open_unix_connection(str(path)) for _ in range(2)]
        for _, writer in clients:
            writer.write(b'{"verb": "flood"}\n')
        _ = await dropped.wait()
        await server.close()
        for _, writer in clients:
            writer.close()

    asyncio.run(main())


def test_a_path_that_is_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="exceeds 107 B"):
        asyncio.run(AdminServer(tmp_path / ("x" * 150), echo).open())


def test_a_folder_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(AdminServer(tmp_path / "nowhere" / "s", echo).open())
