"""A worker on a thread speaks as one in a process, and says why it ends."""

import queue
from pathlib import Path

import msgspec

from ei.node.inline import start_inline
from ei.runtime.batches import EffectBatch, EventBatch
from ei.runtime.loader import find_services
from ei.runtime.worker import WorkerOrder, socket_pair
from ei.sdk import Started

MANIFEST = """
id = 0xF0000001
name = "quitter"
version = "0.0.1"
summary = "Ends its thread, which no service may."
"""
SERVICE = """
from ei.sdk import Service


class Quitter(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        return ()

    def on_start(self, event, ctx):
        raise SystemExit("enough")

SERVICE = Quitter
"""
NODE = b"\xfd\x35\0\0\0\1" + b"n" * 10


def order(folder: Path, **config: object) -> WorkerOrder:
    return WorkerOrder(
        folder=str(find_services()["echo"]),
        node=NODE,
        seed=b"1",
        store=str(folder / "echo.sqlite"),
        config=config,
    )


def test_a_batch_is_answered_until_the_datapath_hangs_up(tmp_path: Path) -> None:
    ours, theirs = socket_pair()
    ends: queue.Queue[str] = queue.Queue()
    start_inline(order(tmp_path), [theirs], ends.put)

    _ = ours.send(msgspec.msgpack.encode(EventBatch(1, 0, 1.0, 2.0, (Started(),))))
    reply = msgspec.msgpack.decode(ours.recv(65_536), type=EffectBatch)
    ours.close()

    assert reply.sequence == 1
    assert ends.get(timeout=5) == "hung up"


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    ours, theirs = socket_pair()
    ends: queue.Queue[str] = queue.Queue()

    start_inline(order(tmp_path, decision_s="soon"), [theirs], ends.put)

    assert "decision_s" in ends.get(timeout=5)
    ours.close()


def test_a_worker_that_crashes_says_how(tmp_path: Path) -> None:
    folder = tmp_path / "quitter"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(MANIFEST)
    _ = (folder / "service.py").write_text(SERVICE)
    ours, theirs = socket_pair()
    ends: queue.Queue[str] = queue.Queue()
    start_inline(msgspec.structs.replace(order(tmp_path), folder=str(folder)), [theirs], ends.put)

    _ = ours.send(msgspec.msgpack.encode(EventBatch(1, 0, 1.0, 2.0, (Started(),))))

    assert ends.get(timeout=5) == "crashed: SystemExit('enough')"
    assert ours.recv(1) == b""
    ours.close()
