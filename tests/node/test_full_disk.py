"""A disk that is full: a real node goes on forwarding, refuses what it cannot keep, and says so."""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.node.conftest import RunningNode

from ei.errors import DeadlineError
from ei.host.channels import ServiceChannel
from ei.host.client import Host
from ei.host.connect import connect
from ei.host.init import init_host
from ei.node.admin import RunningStatus
from ei.records.enrolling import Roll
from ei.records.issuer import Issuer
from ei.records.keys import make_keys

pytestmark = pytest.mark.slow

LEDGER = 0xF0000001
ECHO = 17
DISK_BYTES = 4 * 1024 * 1024
MANIFEST = f"""
id = {LEDGER}
name = "ledger"
version = "0.1.0"
summary = "Keeps what it is told, and says so once it is kept."
stable_bytes = 100_000_000
"""
SERVICE = '''
"""A packet with `p` and a number keeps it, one with `g` asks whether it was kept."""

import msgspec

from ei.sdk import SendPacket, Service


class Ledger(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        packet = event.packet
        what, number = packet.metadata[:1], packet.metadata[1:]
        if what == b"p":
            ctx.stable.put(number, bytes(20_000))
        elif ctx.stable.get(number) is None:
            number = b""
        yield SendPacket(msgspec.structs.replace(packet, metadata=number), to=packet.ingress)


SERVICE = Ledger
'''


@contextmanager
def small_disk(at: Path) -> Generator[None]:
    """Mount a file system of 4 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk: nothing was shown here")
    at.mkdir(mode=0o700, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "ei-test", str(at)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this system lets nobody mount a small disk: nothing was shown here")
    try:
        yield
    finally:
        _ = subprocess.run(["umount", "--lazy", str(at)], check=True)


def fill(at: Path) -> Path:
    """Take all that is left; return what takes it."""
    filler = at / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return filler


def with_ledger(node_file: Path) -> Path:
    """Let a node run the ledger as well; enrol alice; return her host.toml."""
    folder = node_file.parents[1]
    service = node_file.parent / "services" / "ledger"
    service.mkdir(parents=True)
    _ = (service / "manifest.toml").write_text(MANIFEST)
    _ = (service / "service.py").write_text(SERVICE)
    text = node_file.read_text()
    _ = node_file.write_text(
        text.replace(
            "services = [",
            'service_folders = ["services"]\ntrusted_services = ["ledger"]\nservices = ["ledger", ',
            1,
        )
    )
    issuer = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=int(time.time()) + 24 * 3_600)
    roll = Roll(issuer, folder / "records.eir", unix_s=time.time())
    return init_host(folder / "alice", name="alice", nodes=(), roll=roll, randomness=b"a" * 32).path


async def is_kept(ledger: ServiceChannel, number: int) -> bool:
    """Have the ledger keep a number; return whether it says that it did."""
    said = number.to_bytes(4, "little")
    _ = ledger.send(b"", metadata=b"p" + said)
    try:
        return (await ledger.receive(deadline_s=1.0)).metadata == said
    except DeadlineError:
        return False


async def has(ledger: ServiceChannel, number: int) -> bool:
    """Ask the ledger whether it has a number."""
    _ = ledger.send(b"", metadata=b"g" + number.to_bytes(4, "little"))
    return (await ledger.receive()).metadata != b""


async def echoes(host: Host, count: int) -> int:
    """Return how many of `count` packets come back."""
    back = 0
    with host.call(ECHO) as echo:
        for _ in range(count):
            try:
                _ = await echo.ask(b"hello", deadline_s=1.0)
            except DeadlineError:
                continue
            back += 1
    return back


@pytest.mark.timeout(120)
def test_a_full_disk_loses_nothing_acknowledged_and_stops_nothing_else(
    node_file: Path, start_node: Callable[[Path], RunningNode]
) -> None:
    state = node_file.parent / "state"
    config = with_ledger(node_file)

    with small_disk(state):
        node = start_node(node_file)
        node.wait_ready()

        async def while_it_fills() -> list[int]:
            async with connect(config) as alice:
                with alice.call(LEDGER) as ledger:
                    kept = [number for number in range(3) if await is_kept(ledger, number)]
                    filler = fill(state)
                    full = [number for number in range(10, 13) if await is_kept(ledger, number)]
                    assert await echoes(alice, 20) == 20
                    filler.unlink()
                    after = [number for number in range(20, 23) if await is_kept(ledger, number)]
                    assert (kept, full, after) == ([0, 1, 2], [], [20, 21, 22])
                    assert [n for n in (*kept, *after) if not await has(ledger, n)] == []
                    return kept + after

        acknowledged = asyncio.run(while_it_fills())
        status = msgspec.convert(node.ask("status"), RunningStatus)
        (ledger_status,) = [each for each in status.node.services if each.name == "ledger"]
        assert ledger_status.dropped["store_failed"] >= 3
        assert "disk is full" in node.log.read_text()
        node.process.kill()
        _ = node.end()
        start_node(node_file).wait_ready()

        async def after_a_restart() -> None:
            async with connect(config) as alice:
                with alice.call(LEDGER) as ledger:
                    assert [n for n in acknowledged if not await has(ledger, n)] == []

        asyncio.run(after_a_restart())
