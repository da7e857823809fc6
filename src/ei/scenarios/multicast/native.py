"""Programs of IP multicast that know nothing of us, behind two gateways: iperf to iperf.

iperf -c ─> 239.1.2.3 ─> gateway at alice ══ group ══ gateway at b1 ─> 239.1.2.3 ─> iperf -s
└──────── a network of its own ─────────┘           └────────── another network ─────────┘
"""

import asyncio
import io
import os
import re
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ei.daemons.log import Log
from ei.lab.borrowed import find_program
from ei.lab.lab import Lab
from ei.lab.namespaces import inside, make_namespace
from ei.ways.ip_multicast import Bridge, Carrier, bridging

PROGRAM = "iperf"
ADDRESS, PORT = "239.1.2.3", 5001
LOOPBACK = "127.0.0.1"
SECONDS = 3
RATE = "2M"
WARM_S = 2.0
RECEIVED = re.compile(r"(\d+)/ *(\d+) \([0-9.e+-]+%\)")
"""What an iperf server says at the end: datagrams that are missing, of how many."""


@dataclass(frozen=True, slots=True)
class Native:
    """What the receiving program says.

    Attributes:
        receivers: Programs that heard something.
        sent: Datagrams of the sender, as the receivers saw them.
        lost: The most that one of them lacks.
    """

    receivers: int
    sent: int
    lost: int


def can_run() -> bool:
    """Whether the program is here, and namespaces may be made."""
    return os.geteuid() == 0 and find_program(PROGRAM) is not None


async def native(lab: Lab, group: str, sender: str, receivers: list[str]) -> Native:
    """Send by an unmodified program to others, each in a network of its own."""
    program = find_program(PROGRAM) or PROGRAM
    log = Log(io.StringIO())
    with _network() as here:
        out = Bridge(group, ADDRESS, PORT, to_network=False)
        async with asyncio.TaskGroup() as tasks, bridging(
            lab.host(sender), [out], interface=LOOPBACK, ttl=1, log=log,
            open_socket=lambda carrier: _opened(carrier, here),
        ):  # fmt: skip
            hearing = [tasks.create_task(_hear(lab, group, name, program)) for name in receivers]
            await asyncio.sleep(2 * WARM_S)
            words = ["-c", f"{ADDRESS}%lo", "-u", "-p", str(PORT), "-l", "1200", "-b", RATE]
            _ = await _run(here, program, *words, "-t", str(SECONDS), "--ttl", "1")
            said = [await each for each in hearing]
    found = [RECEIVED.search(each) for each in said]
    heard = [(int(each[1]), int(each[2])) for each in found if each is not None]
    return Native(
        len(heard),
        max((sent for _, sent in heard), default=0),
        max((lost for lost, _ in heard), default=0),
    )


async def _hear(lab: Lab, group: str, name: str, program: str) -> str:
    log = Log(io.StringIO())
    with _network() as here:
        into = Bridge(group, ADDRESS, PORT, to_network=True)
        async with bridging(
            lab.host(name), [into], interface=LOOPBACK, ttl=1, log=log,
            open_socket=lambda carrier: _opened(carrier, here),
        ):  # fmt: skip
            words = ["-s", "-u", "-B", f"{ADDRESS}%lo", "-p", str(PORT)]
            return await _run(here, program, *words, "-t", str(int(3 * WARM_S) + SECONDS + 2))


@contextmanager
def _network() -> Generator[str]:
    """Make a network with nothing but its loopback, which carries multicast."""
    number = make_namespace()
    path = f"/proc/{os.getpid()}/fd/{number}"
    try:
        with inside(path):
            for line in ("link set lo up", "route add 224.0.0.0/4 dev lo"):
                _ = subprocess.run(["ip", *line.split()], check=True, capture_output=True)
        yield path
    finally:
        os.close(number)


def _opened(carrier: Carrier, network: str) -> socket.socket:
    with inside(network):
        return carrier.open()


async def _run(network: str, *words: str) -> str:
    """Run a program in a network to its end; return what it printed."""
    with inside(network):
        process = subprocess.Popen(  # noqa: ASYNC220 the namespace is this thread's
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    try:
        printed, _ = await asyncio.to_thread(process.communicate)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    return printed.decode(errors="replace")
