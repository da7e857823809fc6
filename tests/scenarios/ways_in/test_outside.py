"""What programs outside see is compared without what differs anyway."""

import asyncio
import os

import pytest

from ei.scenarios.ways_in.outside import (
    PROGRAMS,
    answer_to,
    missing,
    seen,
    that_work,
    without_varying,
)


def test_a_name_is_answered_by_one_address() -> None:
    question = bytes.fromhex("abcd 0100 0001 0000 0000 0001 03777777 00 0001 0001") + b"edns"

    answer = answer_to(question)

    assert answer[:4] == bytes.fromhex("abcd 8180")
    assert answer.endswith(bytes([192, 0, 2, 80]))
    assert b"edns" not in answer


def test_times_and_ports_do_not_count_and_all_else_does() -> None:
    first = "id: 17\n;; Query time: 3 msec\n64 bytes: icmp_seq=1 ttl=64 time=0.042 ms"
    later = "id: 99\n;; Query time: 0 msec\n64 bytes: icmp_seq=1 ttl=64 time=11 ms"

    assert without_varying(first) == without_varying(later)
    assert without_varying(first) != without_varying(later.replace("ttl=64", "ttl=63"))


def test_a_program_that_is_not_there_is_named_by_its_package() -> None:
    assert missing({"PATH": "/nowhere"}) == "curl"


@pytest.mark.slow
def test_what_is_looked_at_twice_is_the_same() -> None:
    async def program() -> tuple[str, str]:
        programs = ("curl", "dig")
        async with await asyncio.start_server(_page, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            first = await seen(port, programs=programs, environ=os.environ)
            return first, await seen(port, programs=programs, environ=os.environ)

    first, second = asyncio.run(program())

    assert first == second
    assert "curl 0\n200 4 bytes from 127.0.0.1" in first
    assert "192.0.2.80" in first
    assert "ping" not in first


@pytest.mark.slow
def test_a_ping_is_looked_at_where_the_machine_lets_it_work() -> None:
    async def program() -> tuple[tuple[str, ...], str]:
        async with await asyncio.start_server(_page, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            programs = await that_work(os.environ)
            return programs, await seen(port, programs=programs, environ=os.environ)

    programs, printed = asyncio.run(program())

    assert {"curl", "dig"} <= set(programs) <= set(PROGRAMS)
    assert ("ping 0\n" in printed) == ("ping" in programs)


async def _page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _ = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.0 200 OK\r\n\r\npage")
    writer.close()
