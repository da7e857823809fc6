"""Runs every attempt of `escapes.py` in real workers, once for each way to keep them in."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import cast

import msgspec
import pytest

from ei.runtime.jail import Layer

MANIFEST = """
id = 0xF0000002
name = "escapes"
version = "0.0.1"
summary = "Tries to get out."
stable_bytes = 1_000_000
drop_reasons = ["unwanted"]
tier = "heavy"
handler_ms = 200
capabilities = ["payload"]
"""

PROGRAM = """
import ctypes, importlib, json, os, select, sys, time
from pathlib import Path
import email.mime, sqlite3, stat, zlib  # what is loaded here is loaded in the worker, too
import msgspec
from ei.runtime.batches import EffectBatch, EventBatch
from ei.runtime.children import WorkerExited, WorkerJailed
from ei.runtime.nursery import Nursery
from ei.runtime.worker import WorkerOrder, socket_pair
from ei.sdk import Address, Connection, Packet, PacketArrived

_, folder, layers, user, *names = sys.argv
folder, layers, user = Path(folder), json.loads(layers), int(user)
if user != os.getuid():
    os.setgroups([]), os.setresgid(user, user, user), os.setresuid(user, user, user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # /proc/self is its own again, as of who was born so
nursery = Nursery.start()
SOURCE = Address(b"s" * 16)
jail = None

def start():
    ours, theirs = socket_pair()
    store = folder.parent / f"store-{os.getpid()}"
    order = WorkerOrder(
        folder=str(folder), node=b"n" * 16, seed=b"1", store=str(store), layers=layers
    )
    nursery.start_worker(5, order, [theirs])
    theirs.close()
    ours.settimeout(10)
    return ours

def ask(end, name):
    packet = Packet(5, SOURCE, SOURCE, Connection(1), name.encode(), b"open" * (not layers))
    batch = EventBatch(1, 0, time.monotonic(), time.time(), (PacketArrived(packet),))
    end.send(msgspec.msgpack.encode(batch))
    [answer] = msgspec.msgpack.decode(end.recv(1 << 20), type=EffectBatch).answers
    return answer.effects[0][1][5].decode() if answer.effects else f"denied {answer.reason}"

def exited():
    global jail
    while True:
        ready, _, _ = select.select([nursery], [], [], 10)
        assert ready
        for report in nursery.take_reports():
            if isinstance(report, WorkerJailed):
                jail = report.jail
            if isinstance(report, WorkerExited):
                return report.cause

outcomes, end = {}, start()
for name in names:
    try:
        outcomes[name] = ask(end, name)
    except (OSError, msgspec.DecodeError):  # it is gone
        outcomes[name] = f"died {exited()}"
        end = start()
end.close()
exited()
nursery.close()
print(json.dumps([list(jail.layers), outcomes]))
"""

CLOSE = """
import json
from ei.runtime.jail import LAYERS, close_jail
print(json.dumps(close_jail(LAYERS).missing))
"""

Outcomes = tuple[list[str], Mapping[str, str]]


@cache
def attempts() -> tuple[str, ...]:
    """Return the names of all attempts."""
    names: dict[str, object] = {}
    text = (Path(__file__).parent / "escapes.py").read_text()
    exec(compile(text, "escapes.py", "exec"), names)  # noqa: S102 our own file, by another name
    return tuple(cast("dict[str, object]", names["ATTEMPTS"]))


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that other users read, too."""
    with tempfile.TemporaryDirectory(prefix="ei-escapes-") as made:
        top = Path(made)
        top.chmod(0o777)
        folder = top / "escapes"
        folder.mkdir()
        _ = (folder / "manifest.toml").write_text(MANIFEST)
        _ = shutil.copy(Path(__file__).parent / "escapes.py", folder / "service.py")
        yield folder


def try_all(place: Path, *, layers: tuple[str, ...], user: int | None = None) -> Outcomes:
    """Try all in a worker with these layers, as this user; return those that held, and outcomes."""
    chosen = os.getuid() if user is None else user
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(place), json.dumps(layers), str(chosen), *attempts()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    held, outcomes = json.loads(done.stdout)
    return held, outcomes


def alone(text: str) -> str:
    """Run a program in a process of its own, which it may close in; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=25, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout


@cache
def missing_layers(user: tuple[str, ...] = ()) -> Mapping[Layer, str]:
    """Return the layers that cannot close on this system, with the kernel's reason.

    Args:
        user: A command that runs another as somebody else.
    """
    done = subprocess.run(
        [*user, sys.executable, "-c", CLOSE],
        capture_output=True,
        text=True,
        check=False,
        timeout=25,
    )
    if user and done.returncode:
        pytest.skip("this Python is not for every user")
    assert done.returncode == 0, done.stderr[-3_000:]
    return msgspec.json.decode(done.stdout, type=dict[Layer, str])


def need(*layers: Layer, user: tuple[str, ...] = ()) -> None:
    """Skip, by name, where a layer cannot close."""
    for layer, why in missing_layers(user).items():
        if layer in layers:
            pytest.skip(f"this system has no {layer}: {why}")
