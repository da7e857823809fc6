"""A program that knows nothing of streams gets what is at the other end of one."""

import asyncio

from ei.errors import StreamError
from ei.scenarios.caching.offering import offering
from ei.scenarios.caching.origin import HERE, Page, serving
from ei.ways.ends import End, connect_tcp

ASK = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n"


async def said(port: int) -> bytes:
    reader, writer = await asyncio.open_connection(HERE, port)
    writer.write(ASK)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


def test_what_is_asked_and_answered_is_handed_on_as_it_is() -> None:
    async def program() -> tuple[bytes, bytes]:
        async with serving() as (origin, _):
            origin.pages["/a"] = Page(b"page")

            async def dial() -> End:
                return await connect_tcp(HERE, origin.port, deadline_s=5.0)

            async with offering(dial) as port:
                return await said(port), await said(origin.port)

    by_way, direct = asyncio.run(program())

    assert by_way == direct
    assert by_way.endswith(b"\r\n\r\npage")


def test_where_nothing_is_to_be_had_the_connection_is_broken() -> None:
    async def dial() -> End:
        raise StreamError("nobody is there", kind="refused")

    async def program() -> bool:
        async with offering(dial) as port:
            try:
                _ = await said(port)
            except ConnectionError:
                return True
        return False

    assert asyncio.run(program())
