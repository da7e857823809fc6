"""Hits are counted, and what is none is said."""

import asyncio
import os

import pytest

from ei.errors import LocalError
from ei.scenarios.caching.hits import PAGE_BYTES, PATH, ask, hits_per_cpu_s, is_whole
from ei.scenarios.caching.origin import HERE, Page, serving
from ei.ways.ends import End, connect_tcp


def test_a_page_is_whole_when_all_of_its_body_is_there() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"

    assert not is_whole(head[:-2])
    assert not is_whole(head + bytes(PAGE_BYTES - 1))
    assert is_whole(head + bytes(PAGE_BYTES))


def test_each_question_has_its_answer_and_takes_time() -> None:
    async def program() -> tuple[int, float]:
        async with serving() as (origin, _):
            origin.pages[PATH] = Page(bytes(PAGE_BYTES))

            async def dial() -> End:
                return await connect_tcp(HERE, origin.port, deadline_s=5.0)

            rate = await hits_per_cpu_s(dial, 800, os.getpid())
            return origin.asked[PATH], rate

    asked, rate = asyncio.run(program())

    assert asked == 801
    assert rate > 0


def test_what_is_no_page_is_no_hit() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        _ = await reader.read()
        writer.close()

    async def program() -> None:
        async with await asyncio.start_server(refuse, HERE, 0) as server:
            port = server.sockets[0].getsockname()[1]

            async def dial() -> End:
                return await connect_tcp(HERE, port, deadline_s=5.0)

            await ask(dial, 1)

    with pytest.raises(LocalError, match="503"):
        asyncio.run(program())
