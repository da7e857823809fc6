"""The origin of the scenario counts, waits, and echoes as careless origins do."""

import asyncio

from ei.scenarios.caching.origin import HERE, Origin, Page, serving


async def said(origin: Origin, path: str, *lines: str) -> bytes:
    reader, writer = await asyncio.open_connection(HERE, origin.port)
    head = (f"GET {path} HTTP/1.1", "host: x", *lines, "", "")
    writer.write("\r\n".join(head).encode())
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


def test_it_says_what_it_has_and_counts_who_asks() -> None:
    async def program() -> tuple[bytes, bytes, int]:
        async with serving() as (origin, _):
            origin.pages["/a"] = Page(b"page ", echoes="x-odd")
            first = await said(origin, "/a", "x-odd: value")
            return first, await said(origin, "/other"), origin.asked["/a"]

    assert asyncio.run(program()) == (b"page value", b"nothing", 1)


def test_it_answers_only_when_its_gate_is_open() -> None:
    async def program() -> tuple[bool, bytes]:
        async with serving() as (origin, _):
            origin.gate.clear()
            asking = asyncio.get_running_loop().create_task(said(origin, "/a"), name="asking")
            while not origin.asked["/a"]:  # noqa: ASYNC110 turns of the loop, no time
                await asyncio.sleep(0)
            is_answered = asking.done()
            origin.gate.set()
            return is_answered, await asking

    assert asyncio.run(program()) == (False, b"nothing")


def test_when_it_is_stopped_nobody_reaches_it() -> None:
    async def program() -> bool:
        async with serving() as (origin, stop):
            stop()
            try:
                _ = await said(origin, "/a")
            except ConnectionError:
                return True
        return False

    assert asyncio.run(program())
