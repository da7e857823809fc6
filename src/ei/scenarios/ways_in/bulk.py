"""A bulk transfer by iperf3: what it costs by `ei run` and a gateway, and what it costs without.

Counted are both ends of iperf3, `ei run`, two nodes and the gateway; the lab's relays, which stand
for wires, are not, but they take of the same cores.
"""

import asyncio
import os
import resource
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei.errors import LocalError
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.ways_in.commands import run
from ei.scenarios.ways_in.ground import BULK_PORT, Ground

SECONDS = 4
RATE_LIMIT = 25.0
CPU_LIMIT_S = 200.0
"""Two busy cores gave 110 to 450 Mbit/s for 69 to 18 s."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one transfer came to.

    Attributes:
        cpu_s: Of all processes that took part, with what the kernel did for them.
    """

    amount_bytes: int
    mbit_s: float
    cpu_s: float

    @property
    def cpu_s_per_gb(self) -> float:
        """CPU seconds for 10^9 bytes."""
        return self.cpu_s * 1e9 / self.amount_bytes


async def bulk(ground: Ground, gateway: int) -> AsyncIterator[Promise]:
    """Send as much as goes for some seconds.

    Args:
        gateway: Its process id.
    """
    rate = "iperf3 by ei run and a gateway: rate"
    cost = "iperf3 by ei run and a gateway: CPU of all processes for 10^9 bytes"
    if shutil.which("iperf3") is None:
        missing = "; apt-get install iperf3"
        yield unsupported(rate + missing, ">=", RATE_LIMIT, unit="Mbit/s")
        yield unsupported(cost + missing, "<=", CPU_LIMIT_S, unit="s")
        return
    nodes = set((await ground.lab.pids()).values())
    async with listening(ground) as server:
        began_s = used_s({server})
        _, printed = await ground.said(*client("127.0.0.1", ground.bulk_port))
        direct = transfer_of(printed, used_s({server}) - began_s)

        took_part = {server, gateway, *nodes}
        began_s = used_s(took_part)
        _ = await run(ground, "iperf3", "--version")
        start_s = used_s(took_part) - began_s
        began_s = used_s(took_part)
        done = await run(ground, *client("bob.isp-b.ei", BULK_PORT))
        if done.code != 0:
            raise LocalError(f"iperf3 by ei run ended with {done.code}: {done.words[-400:]}")
        ours = transfer_of(done.printed, used_s(took_part) - began_s - start_s)
    yield promise(
        rate, round(ours.mbit_s), ">=", RATE_LIMIT, unit="Mbit/s", baseline=round(direct.mbit_s)
    )
    yield promise(
        cost,
        round(ours.cpu_s_per_gb, 2),
        "<=",
        CPU_LIMIT_S,
        unit="s",
        baseline=round(direct.cpu_s_per_gb, 2),
    )


def client(host: str, port: int) -> tuple[str, ...]:
    """Return a command that sends for some seconds and reports as JSON."""
    return ("iperf3", "-c", host, "-p", str(port), "-t", str(SECONDS), "-J")


@asynccontextmanager
async def listening(ground: Ground) -> AsyncGenerator[int]:
    """Run the server of iperf3 while the context lasts; yield its process id."""
    process = await asyncio.create_subprocess_exec(
        *("iperf3", "-s", "-B", "127.0.0.1", "-p", str(ground.bulk_port), "--forceflush"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=ground.environ,
    )
    try:
        assert process.stdout is not None  # noqa: S101
        while b"listening" not in await process.stdout.readline():
            if process.stdout.at_eof():
                raise LocalError("the server of iperf3 did not start")
        yield process.pid
    finally:
        if process.returncode is None:
            process.kill()
        _ = await process.communicate()


# -- figures -----------------------------------------------------------------------------------


class _Received(msgspec.Struct, frozen=True):
    bytes: int
    bits_per_second: float


class _End(msgspec.Struct, frozen=True):
    sum_received: _Received


class _Report(msgspec.Struct, frozen=True):
    end: _End


def transfer_of(printed: bytes, cpu_s: float) -> Transfer:
    """Return what iperf3 reports, of what arrived.

    Raises:
        LocalError: nothing did.
    """
    try:
        received = msgspec.json.decode(printed, type=_Report).end.sum_received
    except msgspec.DecodeError as error:
        raise LocalError(f"iperf3 says {printed[-400:].decode(errors='replace')!r}") from error
    if received.bytes == 0:
        raise LocalError("not a byte of iperf3 arrived")
    return Transfer(received.bytes, received.bits_per_second / 1e6, cpu_s)


def used_s(leaders: Collection[int]) -> float:
    """Return the CPU time of these processes and their sessions, and of children that ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:  # it has just ended
                continue
            ticks += ticks_of(int(entry.name), text, leaders)
    return ended.ru_utime + ended.ru_stime + ticks / TICKS


def ticks_of(pid: int, stat: str, leaders: Collection[int]) -> int:
    """Return the CPU ticks of a process by its `stat` (proc(5)), if it or its session is meant."""
    fields = stat.rpartition(")")[2].split()
    if pid not in leaders and int(fields[3]) not in leaders:
        return 0
    return int(fields[11]) + int(fields[12])
