"""What carrying the packets of foreign programs promises."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from ipaddress import IPv4Address
from typing import Any

from ei._core import Link
from ei.lab.underlay import Underlay

ADDRESSES = {"a": "198.18.0.1", "b": "198.18.0.2"}
Script = Callable[[Underlay, socket.socket], Coroutine[Any, Any, None]]


def run(script: Script, **properties: float) -> None:
    """Run a script with an underlay whose device is one end of a pair; it gets the other."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    async def program() -> None:
        with ours, theirs:
            ours.settimeout(0)
            theirs.settimeout(0)
            made = iter(range(1, 100))

            def link_of(_sender: str, _receiver: str) -> Link:
                return Link(seed=next(made), **properties)

            underlay = Underlay(theirs.fileno(), ADDRESSES, link_of=link_of)
            underlay.start()
            await script(underlay, ours)
            underlay.stop()

    asyncio.run(program())


def packet(source: str, to: str, *, version: int = 4) -> bytes:
    return bytes([version << 4]) + bytes(11) + IPv4Address(source).packed + IPv4Address(to).packed


async def received(tun: socket.socket) -> bytes:
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(tun, 100), 5)


def test_a_packet_comes_back_after_the_delay_of_its_link() -> None:
    async def script(underlay: Underlay, tun: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        sent = packet("198.18.0.1", "198.18.0.2")
        _ = tun.send(sent)

        assert await received(tun) == sent
        assert loop.time() - began_s >= 0.02
        (model,) = underlay.models("a", "b")
        assert model.statistics()["delivered"] == 1

    run(script, delay_s=0.02)


def test_what_is_for_nobody_here_goes_nowhere() -> None:
    async def script(underlay: Underlay, tun: socket.socket) -> None:
        good = packet("198.18.0.2", "198.18.0.1")
        for each in (
            packet("198.18.0.1", "198.18.0.99"),
            packet("10.0.0.1", "198.18.0.2"),
            packet("198.18.0.1", "198.18.0.2", version=6),
            b"\x45",
        ):
            _ = tun.send(each)
        _ = tun.send(good)

        assert await received(tun) == good
        assert [each.statistics()["offered"] for each in underlay.models("b", "a")] == [1]

    run(script)


def test_a_changed_link_is_made_anew() -> None:
    async def script(underlay: Underlay, tun: socket.socket) -> None:
        sent = packet("198.18.0.1", "198.18.0.2")
        _ = tun.send(sent)
        _ = await received(tun)

        former = underlay.change("b", "a")

        assert [each.statistics()["offered"] for each in former] == [1]
        assert underlay.models("a", "b") == ()
        _ = tun.send(sent)
        assert await received(tun) == sent

    run(script)
