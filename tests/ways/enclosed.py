"""Runs a program in a namespace before a small world without a network; a process of its own.

python -m tests.ways.enclosed COMMAND...

www.example.com, bob.isp-b.ei   port 80: who was meant, then an echo; port 22: a greeting first;
                                port 9: refused
bob.isp-b.ei                    UDP: the datagram in capital letters; answers pings
    others                          UDP: a first datagram, then an echo; port 9: refused
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping

from ei.errors import LocalError, StreamError
from ei.host.events import DatagramReceived
from ei.records.addresses import format_address, parse_address
from ei.sdk.packets import Address
from ei.ways.dns_stub import Stub
from ei.ways.dns_upstream import Upstream
from ei.ways.dns_zone import Known, Looked, Unknown
from ei.ways.enclosing import enclose
from ei.ways.ends import End
from ei.ways.launching import launch
from ei.ways.run_packets import Far, RunPackets
from ei.ways.run_relay import RunRelay
from ei.ways.signals import passed_on
from ei.ways.stand_ins import StandIns

ALICE = "fd35:0:1:aaaa::1"
BOB = "fd35:0:2:bbbb::2"


class FarEnd:
    """An end that says something first, then says what it hears."""

    def __init__(self, greeting: bytes) -> None:
        self._pieces = asyncio.Queue[bytes](4)
        self._pieces.put_nowait(greeting)

    async def read(self, max_bytes: int = 65_536) -> bytes:
        return await self._pieces.get()

    async def write(self, data: bytes) -> None:
        await self._pieces.put(data)

    async def finish(self) -> None:
        await self._pieces.put(b"")

    async def settle(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def abort(self, code: int = 0) -> None:
        pass


class FarDialler:
    """Knows everybody."""

    async def dial(self, name: str, port: int, *, deadline_s: float = 10.0) -> End:
        if port == 9:
            raise StreamError(f"{name} listens not there", kind="refused")
        return FarEnd(b"SSH-2.0-greeting\r\n" if port == 22 else f"{name} {port}\n".encode())


async def dial_udp(_host: str, port: int) -> End:
    """Every place but one says back what it hears."""
    if port == 9:
        raise StreamError("nobody is there", kind="refused")
    return FarEnd(b"\5\0first")


class FarPort:
    """Answers in capital letters."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._came = asyncio.Queue[DatagramReceived | None]()

    def try_send(self, to: str | Address, data: bytes, *, port: int | None = None) -> bool:
        assert isinstance(to, bytes)
        self._came.put_nowait(DatagramReceived(to, port or 0, self._port, data.upper(), None))
        return True

    async def receive(self, *, deadline_s: float) -> DatagramReceived:
        came = await self._came.get()
        if came is None:
            raise LocalError("closed")
        return came

    def close(self) -> None:
        self._came.put_nowait(None)


class FarHost:
    """Alice."""

    address = parse_address(ALICE)

    def datagrams(self, port: int = 0) -> FarPort:
        return FarPort(port)

    async def ping(self, to: str | Address, data: bytes = b"", *, deadline_s: float = 2.0) -> float:
        return 0.0


async def look(wanted: str | Address) -> Looked:
    if wanted in {"bob.isp-b", parse_address(BOB)}:
        return Known("bob.isp-b", parse_address(BOB), 60.0)
    return Unknown(f"no {wanted!r}", is_certain=True)


def told(text: str) -> None:
    print(f"told: {text}", file=sys.stderr, flush=True)  # noqa: T201


async def serve(command: list[str], environ: Mapping[str, str]) -> int:
    launched = launch(command, lambda: enclose(format_address(FarHost.address), environ=environ))
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(launched.pidfd, ended.set)
    *listening, packets = launched.sockets
    names = StandIns()
    stub = Stub(look, Upstream([]), invent=names.invent)
    relay = RunRelay(FarDialler(), names=names, stub=stub, told=told)
    with passed_on(launched.send):
        beside = RunPackets(packets, far=Far(FarHost(), dial_udp), stub=stub, told=told)
        async with asyncio.TaskGroup() as group:
            serving = [group.create_task(relay.serve(each)) for each in listening]
            serving.append(group.create_task(beside.serve()))
            not_run = launched.go({})
            assert not_run is None, not_run
            _ = await ended.wait()
            await relay.settle(*listening)
            for task in serving:
                task.cancel()
    print(json.dumps(beside.counted), file=sys.stderr)  # noqa: T201
    return launched.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(serve(sys.argv[1:], os.environ)))
