"""A host behind a real NAT that forgets it (A12): a transfer over a real node goes on."""

import asyncio
import hashlib
import select
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

import msgspec
import pytest
from tests.node.conftest import RunningNode, node_file, start_node

from ei.host.client import Host
from ei.host.init import init_host
from ei.host.stack import Identity, Stack
from ei.host.udp import SocketTransport
from ei.lab.load import carry
from ei.records.enrolling import Roll
from ei.records.issuer import Issuer
from ei.records.key_files import read_keys
from ei.records.keys import make_keys
from ei.records.record_files import read_records
from ei.records.record_set import RecordSet, verify_records

__all__ = ["node_file", "start_node"]

pytestmark = pytest.mark.slow

RATE_BYTES_PER_S = 1_250_000
CONTENT = hashlib.shake_256(b"rebinding").digest(10_000_000)
FAR_S = 24 * 3_600


class Nat:
    """Carries datagrams to a node at 10 Mbit/s, from elsewhere after 1 s, then every 5 s."""

    def __init__(self, inside: socket.socket, node: tuple[str, int]) -> None:
        self._inside = inside
        self._node = node
        self._is_stopped = threading.Event()
        self.places: list[tuple[str, int]] = []

    def stop(self) -> None:
        """End `run`."""
        self._is_stopped.set()

    def run(self) -> None:
        """Carry until `stop`."""
        host: tuple[str, int] | None = None
        outside = self._bind()
        rebind_s = time.monotonic() + 1
        free_s = time.monotonic()
        while not self._is_stopped.is_set():
            now_s = time.monotonic()
            if now_s >= rebind_s:
                outside.close()
                outside = self._bind()
                rebind_s = now_s + 5
            readable, _, _ = select.select([self._inside, outside], [], [], 0.05)
            if self._inside in readable:
                datagram, host = self._inside.recvfrom(65_535)
                _ = outside.sendto(datagram, self._node)
                free_s = max(free_s, now_s) + len(datagram) / RATE_BYTES_PER_S
                time.sleep(max(0.0, free_s - time.monotonic()))
            if outside in readable and host is not None:
                _ = self._inside.sendto(outside.recv(65_535), host)
        outside.close()

    def _bind(self) -> socket.socket:
        outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        outside.bind((f"127.0.0.{len(self.places) + 2}", 0))
        self.places.append(outside.getsockname())
        return outside


@contextmanager
def behind_nat(node: str) -> Generator[tuple[Nat, str]]:
    """Run a NAT in front of a node; the value is it, and where the node seems to be."""
    address, _, port = node.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside:
        inside.bind(("127.0.0.1", 0))
        nat = Nat(inside, (address, int(port)))
        thread = threading.Thread(target=nat.run)
        thread.start()
        try:
            yield nat, f"127.0.0.1:{inside.getsockname()[1]}"
        finally:
            nat.stop()
            thread.join()


def host_of(folder: Path, name: str, records: RecordSet) -> Host:
    """Return a host of this program."""
    keys = read_keys(folder / name / "key")
    transport = SocketTransport("127.0.0.1:0")
    stack = Stack(
        Identity(f"{name}.isp-a", keys.address(1), keys),
        records,
        nodes=["sn1.isp-a"],
        numbers=SystemRandom(),
        unix_offset_ns=transport.unix_offset_ns(),
    )
    return Host(stack, transport)


@pytest.mark.timeout(120)
def test_a12_10_mb_are_carried_through_a_nat_that_forgets_the_host_every_5_s(
    node_file: Path, start_node: Callable[[Path], RunningNode]
) -> None:
    folder = node_file.parents[1]
    issuer = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=int(time.time()) + FAR_S)
    roll = Roll(issuer, folder / "records.eir", unix_s=time.time())
    for name in ("alice", "bob"):
        randomness = name.encode().ljust(32)
        _ = init_host(folder / name, name=name, nodes=(), roll=roll, randomness=randomness)
    start_node(node_file).wait_ready()
    records = verify_records(
        read_records(folder / "records.eir"),
        trust={"isp-a": issuer.keys.identity_key},
        unix_s=int(time.time()),
        attachment_limit_s=FAR_S * 366,
    )
    (node,) = records.nodes.values()

    with behind_nat(node.endpoints[0]) as (nat, seen_at):
        there = msgspec.structs.replace(node, endpoints=(seen_at,))
        behind = replace(records, nodes={node.address: there})
        alice, bob = host_of(folder, "alice", behind), host_of(folder, "bob", records)

        async def program() -> bytes:
            async with alice, bob:
                return await carry(alice, bob, CONTENT)

        arrived = asyncio.run(program())

        assert arrived == CONTENT
        assert len(nat.places) >= 3
