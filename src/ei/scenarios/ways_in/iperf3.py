"""iperf3: sends as much as goes for some seconds, and what that took of the processor."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from ei.errors import LocalError
from ei.lab.foreign import running

PROGRAM = "iperf3"
SECONDS = 4


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


def client(host: str, port: int) -> tuple[str, ...]:
    """Return a command that sends for some seconds and reports as JSON."""
    return (PROGRAM, "-c", host, "-p", str(port), "-t", str(SECONDS), "-J")


@asynccontextmanager
async def listening(
    port: int,
    *,
    address: str = "127.0.0.1",
    environ: Mapping[str, str],
    namespace: str | None = None,
) -> AsyncGenerator[int]:
    """Run a server of iperf3 while the context lasts; yield its process id."""
    words = (PROGRAM, "-s", "-B", address, "-p", str(port))
    with TemporaryDirectory(prefix="ei-iperf3-") as name:
        async with running(
            *words, at=port, folder=Path(name), environ=environ, namespace=namespace
        ) as pid:
            yield pid


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
