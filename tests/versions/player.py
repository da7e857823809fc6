"""Plays recorded batches to a module, by the code of either version; says what came of them.

    PYTHONPATH=TREE/src python player.py FOLDER < batches

It uses what both versions have and nothing else, so that the same file runs on both.
"""

import hashlib
import json
import sys
from pathlib import Path

import msgspec

from ei.runtime.environment import Environment
from ei.runtime.loader import load_service
from ei.runtime.stores import MemoryStore

NODE = b"n" * 16


def play(folder: Path, batches: list[tuple[int, float, float, bytes]]) -> dict[str, object]:
    """Hand over batches one after the other; return digests of all replies and of what is kept."""
    loaded = load_service(folder)
    stable = MemoryStore(limit_bytes=loaded.manifest.stable_bytes)
    environment = Environment(loaded, node=NODE, seed=bytes(32), stable=stable)
    said = hashlib.sha256()
    for origin, now_s, unix_s, batch in batches:
        said.update(environment.deliver_batch(batch, origin=origin))
        while environment.is_due(now_s):
            said.update(environment.fire_due(now_s, unix_s) or b"")
        for to, stray in environment.take_strays():
            said.update(bytes([to]) + stray)
    kept = hashlib.sha256(msgspec.msgpack.encode(list(stable.scan(b""))))
    return {
        "replies": said.hexdigest(),
        "kept": kept.hexdigest(),
        "faults": environment.statistics().faults,
    }


if __name__ == "__main__":
    told = msgspec.msgpack.decode(
        sys.stdin.buffer.read(), type=list[tuple[int, float, float, bytes]]
    )
    _ = sys.stdout.write(json.dumps(play(Path(sys.argv[1]), told)))
