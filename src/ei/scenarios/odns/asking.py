"""Who asks: `ei dns --oblivious` as a process, and dig, delv and dnsperf as they are."""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei.errors import LocalError
from ei.lab.foreign import end
from ei.lab.process_lab import ProcessLab
from ei.scenarios.odns.bind import ADDRESS, ZONE, Resolver, said

READY_S = 15.0
_VARIES = (
    re.compile(r"^;; (Query time|WHEN|SERVER).*$", re.MULTILINE),
    re.compile(r"^; <<>> DiG.*$", re.MULTILINE),
    re.compile(r"id: \d+"),
)
"""What dig prints otherwise each time it asks the same."""

_NUMBER = re.compile(r"[\d.]+")


@dataclass(frozen=True, slots=True)
class StubProcess:
    """`ei dns --oblivious` while it runs.

    Attributes:
        port: On the loopback.
        pid: Of its process.
    """

    port: int
    pid: int


class _Opened(msgspec.Struct, frozen=True):
    listen: str


@asynccontextmanager
async def stub(
    lab: ProcessLab, host: str, environ: Mapping[str, str], *, target: str = ""
) -> AsyncGenerator[StubProcess]:
    """Run the stub as a host, which nobody else is, until the block ends.

    Args:
        target: Name of a node; empty lets the stub choose.

    Raises:
        LocalError: it does not start.
    """
    config = lab.folder("sn1.isp-a").parent / lab.topology.find(host) / "host.toml"
    words = ["dns", "--oblivious", "--listen", "127.0.0.1:0", "--json"]
    words += ["--target", target] if target else []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ei", *words, "--config", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environ,
    )
    try:
        yield StubProcess(await _port_of(process), process.pid)
    finally:
        await end(process)


async def _port_of(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None  # noqa: S101
    try:
        async with asyncio.timeout(READY_S):
            line = await process.stdout.readline()
            opened = msgspec.json.decode(line, type=_Opened)
    except (TimeoutError, msgspec.MsgspecError) as error:
        raise LocalError(f"ei dns --oblivious does not start: {error}") from error
    return int(opened.listen.rpartition(":")[2])


async def dig(port: int, *words: str, environ: Mapping[str, str]) -> str:
    """Return what dig prints of an answer, without what is otherwise each time."""
    command = ("dig", f"@{ADDRESS}", "-p", str(port), "+tries=1", "+time=6", "+nocookie")
    printed = await said(*command, *words, environ=environ)
    for pattern in _VARIES:
        printed = pattern.sub("", printed)
    return printed


async def delv(port: int, resolver: Resolver, *words: str, environ: Mapping[str, str]) -> str:
    """Return what delv, with the zone's key as its anchor, says of an answer."""
    command = ("delv", f"@{ADDRESS}", "-p", str(port), "-a", str(resolver.anchors))
    return await said(*command, f"+root={ZONE}", *words, environ=environ)


@dataclass(frozen=True, slots=True)
class Performed:
    """What dnsperf says of a run.

    Attributes:
        sent, completed, lost: Questions.
        failed: Answers with another code than NOERROR.
        per_s: Answers a second.
    """

    sent: int
    completed: int
    lost: int
    failed: int
    per_s: float


async def perform(
    port: int,
    names: Path,
    *,
    seconds: float,
    environ: Mapping[str, str],
    most_per_s: int = 0,
) -> Performed:
    """Run dnsperf, as it is.

    Args:
        names: File of questions.
        most_per_s: Questions a second; 0 for as many as are answered.
    """
    words = ["dnsperf", "-s", ADDRESS, "-p", str(port), "-d", str(names), "-q", "100"]
    words += ["-l", f"{seconds:g}", "-t", "6"]
    words += ["-Q", str(most_per_s)] if most_per_s else []
    return read_performed(await said(*words, environ=environ))


def read_performed(printed: str) -> Performed:
    """Return what a report of dnsperf says.

    Raises:
        LocalError: It is none.
    """
    found: dict[str, str] = {}
    for line in printed.splitlines():
        key, colon, value = line.strip().partition(":")
        if colon:
            found[key] = value.strip()
    try:
        codes = found["Response codes"]
        completed = int(_first(found["Queries completed"]))
        fine = re.search(r"NOERROR (\d+)", codes)
        return Performed(
            sent=int(_first(found["Queries sent"])),
            completed=completed,
            lost=int(_first(found["Queries lost"])),
            failed=completed - (int(fine[1]) if fine else 0),
            per_s=float(_first(found["Queries per second"])),
        )
    except (KeyError, ValueError) as error:
        raise LocalError(f"dnsperf says nothing of its run: {printed[-400:]!r}") from error


def _first(text: str) -> str:
    found = _NUMBER.match(text)
    return found[0] if found else ""
