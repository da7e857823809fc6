"""A worker on a thread speaks as one in a process, and says why it ends."""

import queue
from pathlib import Path

import msgspec

from ei.node.inline import start_inline
from ei.runtime.batches import EffectBatch, EventBatch
from ei.runtime.loader import find_services
from ei.runtime.worker import WorkerOrder, socket_pair
from ei.sdk import Started

NODE = b"\xfd\x35\0\0\0\1" + b"n" * 10


def order(folder: Path, **config: object) -> WorkerOrder:
    return WorkerOrder(
        folder=str(find_services()["echo"]),
        node=NODE,
        seed=1,
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
