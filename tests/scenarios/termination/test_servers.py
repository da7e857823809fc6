"""The server of the scenario does what it is told."""

import asyncio
import hashlib

import pytest

from ei.scenarios.termination.ground import Ground
from ei.scenarios.termination.servers import PIECE_BYTES, content, pieces, serving

GROUND = Ground("127.0.0.1", {})


async def said(line: bytes, *, then: bytes = b"") -> bytes:
    """Return all that the server answers."""
    async with serving(GROUND.listener()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(line + b"\n" + then)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
    return answer


def test_it_gives_what_is_asked_for_and_says_what_it_took() -> None:
    assert asyncio.run(said(b"give 1000")) == content(1_000)
    digest = hashlib.sha256(b"hello").hexdigest().encode()
    assert asyncio.run(said(b"take", then=b"hello")) == digest
    assert asyncio.run(said(b"long 200000")) == b"".join(pieces(200_000))
    assert asyncio.run(said(b"nonsense")) == b""


def test_what_is_long_has_no_two_pieces_that_are_alike() -> None:
    found = list(pieces(3 * PIECE_BYTES + 1))

    assert [len(piece) for piece in found] == [PIECE_BYTES] * 3 + [1]
    assert len(set(found)) == 4


def test_it_dies_when_it_is_asked_to() -> None:
    with pytest.raises(ConnectionResetError):
        _ = asyncio.run(said(b"die 1000", then=b"."))


def test_a_flood_goes_on_until_nobody_takes_it() -> None:
    async def program() -> bool:
        async with serving(GROUND.listener()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"flood\n")
            _ = await reader.readexactly(PIECE_BYTES)
            writer.transport.abort()
            return server.flooded_bytes >= PIECE_BYTES

    assert asyncio.run(program())


def test_nobody_listens_on_an_unused_port() -> None:
    async def program() -> None:
        _ = await asyncio.open_connection("127.0.0.1", GROUND.unused_port())

    with pytest.raises(ConnectionRefusedError):
        asyncio.run(program())
