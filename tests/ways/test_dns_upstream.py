"""Asking other servers over real sockets of this machine."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from tests.ways.messages import question

from ei.errors import ConfigError, LocalError, UnreachableError
from ei.records.endpoints import Endpoint, parse_endpoint
from ei.ways.dns_upstream import (
    Upstream,
    check_no_loop,
    endpoint_text,
    parse_server,
    system_servers,
)

ASKED = question("example.com.")
WIRE = ASKED.wire
Reply = Callable[[bytes], list[bytes]]


def answered(wire: bytes) -> bytes:
    return wire[:2] + bytes([wire[2] | 0x80]) + wire[3:] + b"the answer"


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        for piece in self._reply(data):
            self.transport.sendto(piece, addr)


@asynccontextmanager
async def server(reply: Reply) -> AsyncGenerator[Endpoint]:
    """A server by UDP."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Udp(reply), local_addr=("127.0.0.1", 0)
    )
    try:
        yield ip_address("127.0.0.1"), transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def run(script: Coroutine[Any, Any, None]) -> None:
    asyncio.run(script)


def test_the_answer_comes_back_as_it_is() -> None:
    async def script() -> None:
        async with server(lambda wire: [answered(wire)]) as endpoint:
            assert await Upstream([endpoint])(ASKED, is_udp=True) == answered(WIRE)

    run(script())


def test_what_is_no_answer_to_the_question_is_not_taken_for_one() -> None:
    async def script() -> None:
        other_number = bytes([WIRE[0] ^ 1]) + answered(WIRE)[1:]
        other_question = answered(WIRE).replace(b"example", b"forgery")
        no_question = WIRE[:2] + b"\x80\0" + bytes(8)
        forged = [b"", b"x", WIRE, other_number, other_question, no_question]
        async with server(lambda wire: [*forged, answered(wire)]) as endpoint:
            assert await Upstream([endpoint])(ASKED, is_udp=True) == answered(WIRE)

    run(script())


def test_a_server_that_cannot_read_the_question_says_so_without_it() -> None:
    async def script() -> None:
        async with server(lambda wire: [wire[:2] + b"\x80\1" + bytes(8)]) as endpoint:
            answer = await Upstream([endpoint])(ASKED, is_udp=True)

            assert answer[2:4] == b"\x80\1"

    run(script())


def test_the_next_server_is_asked_when_one_is_silent_or_gone() -> None:
    async def script() -> None:
        async with server(lambda _wire: []) as silent, server(lambda _wire: []) as gone:
            pass
        async with server(lambda _wire: []) as silent, server(lambda w: [answered(w)]) as good:
            upstream = Upstream([gone, silent, good], try_s=0.05)

            assert await upstream(ASKED, is_udp=True) == answered(WIRE)

    run(script())


def test_who_did_not_answer_is_named() -> None:
    async def script() -> None:
        async with server(lambda _wire: []) as silent:
            with pytest.raises(UnreachableError) as said:
                _ = await Upstream([silent], try_s=0.02)(ASKED, is_udp=True)
        assert str(said.value) == f"{endpoint_text(silent)} does not answer"
        with pytest.raises(UnreachableError, match="no other server is known"):
            _ = await Upstream([])(ASKED, is_udp=True)

    run(script())


def test_by_tcp_the_length_goes_before_the_message_and_a_server_that_hangs_up_is_named() -> None:
    async def script() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            if wire == WIRE:
                writer.write(len(answered(wire)).to_bytes(2, "big") + answered(wire))
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        endpoint = (ip_address("127.0.0.1"), listening.sockets[0].getsockname()[1])
        async with listening:
            upstream = Upstream([endpoint])
            assert await upstream(ASKED, is_udp=False) == answered(WIRE)
            with pytest.raises(UnreachableError, match="hung up"):
                _ = await upstream(question("example.org."), is_udp=False)

    run(script())


def test_a_server_is_an_address_with_or_without_a_port() -> None:
    for text, meant in (
        ("192.0.2.53", "192.0.2.53:53"),
        ("192.0.2.53:5353", "192.0.2.53:5353"),
        ("2001:db8::1", "[2001:db8::1]:53"),
        ("[::1]:5353", "[::1]:5353"),
    ):
        assert endpoint_text(parse_server(text)) == meant
    for text in ("", "dns.example", "192.0.2.53:x", "192.0.2.53:70000", "[::1]"):
        with pytest.raises(LocalError, match="want ADDRESS or ADDRESS:PORT"):
            _ = parse_server(text)


def test_the_servers_of_the_system_are_those_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# nameserver 192.0.2.1\nsearch x\nnameserver 192.0.2.2\nnameserver\n"
        "nameserver fe80::1%eth0\nnameserver name.example\n  nameserver ::1\nnameserver 192.0.2.3\n"
    )

    found = system_servers(file)

    assert [str(address) for address, _ in found] == ["192.0.2.2", "fe80::1", "::1"]
    assert system_servers(tmp_path / "missing") == []


def test_the_stub_is_never_its_own_upstream() -> None:
    for listen, server in (
        ("127.0.0.1:5300", "127.0.0.1:5300"),
        ("0.0.0.0:53", "127.0.0.53"),
        ("[::]:53", "::1"),
    ):
        with pytest.raises(ConfigError, match="is this stub itself"):
            check_no_loop(parse_endpoint(listen), [parse_server(server)])
    for listen, server in (
        ("127.0.0.1:5300", "127.0.0.1"),
        ("0.0.0.0:53", "192.0.2.53"),
        ("127.0.0.1:53", "127.0.0.53"),
    ):
        check_no_loop(parse_endpoint(listen), [parse_server(server)])
