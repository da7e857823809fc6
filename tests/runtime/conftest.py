"""What the tests of worker processes share: a service to run, and a program that runs it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MANIFEST = """
id = 0xF0000001
name = "subject"
version = "0.0.1"
summary = "Does what its packets say."
stable_bytes = 1_000_000
ephemeral_bytes = 1_000_000
handler_ms = 50
drop_reasons = ["unwanted"]
counters = ["seen"]
"""

SERVICE = """
from msgspec.structs import replace
from ei.sdk import *


class Subject(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        packet = event.packet
        match packet.metadata:
            case b"loop":
                while True:
                    pass
            case b"sum":
                sum(range(10**12))
            case b"brief":
                sum(range(1_000_000))
            case b"stubborn":
                while True:
                    try:
                        while True:
                            pass
                    except BaseException:
                        pass
            case b"shout":
                import random  # as above
                random._os.write(2, b"\\x1b[2J\\x1b]0;owned\\x07 all is well\\n")
            case b"hoard":
                bytes(10**9)
            case b"end":
                raise SystemExit("enough")
            case b"put":
                ctx.stable.put(b"k%d" % packet.connection, packet.payload)
            case b"count":
                yield Count("seen", len(list(ctx.stable.scan(b""))))
            case b"timer":
                yield SetTimer(b"t", 0.01)
            case b"copy":
                for _ in range(100):
                    yield SendPacket(packet, packet.source)
                return
            case b"endless":
                while True:
                    yield Count("seen")
            case b"draw":
                ctx.random.getrandbits(2**40)
            case b"wide":
                yield SendPacket(replace(packet, metadata=bytes(10**7)), packet.source)
            case b"timers":
                for number in range(500):
                    yield SetTimer(b"%d %d" % (packet.connection, number), 3_600.0)
            case b"fork":
                import random  # it has what a service may not import
                random._os.fork()
        yield DropPacket("unwanted")

    def on_timer(self, event, ctx):
        yield Count("seen", 7)

SERVICE = Subject
"""

PRELUDE = """
import os, resource, select, signal, sys, time
from pathlib import Path

import msgspec

from ei.runtime.batches import EffectBatch, EventBatch
from ei.runtime.children import WorkerJailed
from ei.runtime.nursery import Nursery
from ei.runtime.worker import WorkerOrder, socket_pair
from ei.sdk import Address, Connection, Packet, PacketArrived, Started

FOLDER = Path(sys.argv[1])
SOURCE = Address(b"s" * 16)
nursery = Nursery.start()
jails = []


def start(folder=FOLDER, threads=1):
    pairs = [socket_pair() for _ in range(threads)]
    order = WorkerOrder(
        folder=str(folder), node=b"n" * 16, seed=b"1", store=str(FOLDER.parent / "store")
    )
    nursery.start_worker(5, order, [theirs for _, theirs in pairs])
    for ours, theirs in pairs:
        theirs.close()
        ours.settimeout(10)
    return [ours for ours, _ in pairs]


def reports(number):
    found = []
    while len(found) < number:
        ready, _, _ = select.select([nursery], [], [], 10)
        assert ready, "no report within 10 s"
        for report in nursery.take_reports():
            (jails if isinstance(report, WorkerJailed) else found).append(report)
    return found


def packet(metadata=b"", connection=1, payload=b""):
    return PacketArrived(Packet(5, SOURCE, SOURCE, Connection(connection), metadata, payload))


def ask(end, *items):
    batch = EventBatch(1, 0, time.monotonic(), time.time(), items)
    end.send(msgspec.msgpack.encode(batch))
    return answer(end)


def answer(end):
    received = end.recv(1 << 20)
    assert received, f"the worker ended: {reports(2)[1].cause}"
    return msgspec.msgpack.decode(received, type=EffectBatch)


def words(batch):
    return [answer.reason for answer in batch.answers]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(*pids):
    until_s = time.monotonic() + 5
    while any(map(is_alive, pids)):
        assert time.monotonic() < until_s, "still there after 5 s"
        time.sleep(0.01)
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """Run a program that has started a nursery first of all; return what it prints."""
    folder = tmp_path / "subject"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(MANIFEST)
    _ = (folder / "service.py").write_text(SERVICE)

    def run(text: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + text, str(folder)],
            capture_output=True,
            text=True,
            timeout=25,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run
