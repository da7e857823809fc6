"""The shell: plays a story to a worker in a process of its own, behind its jail.

That process hashes with another seed than this one, so that what depends on the order of a set is
seen; its clock is that of the batches, so that nothing depends on the machine.
"""

import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

from ei.conform.corpus import Sent, Story, batches
from ei.conform.differences import said_of, said_otherwise
from ei.conform.drawing import SELF
from ei.conform.playing import SEED, Record
from ei.conform.verdicts import KEPT, Verdict, broken
from ei.runtime.children import how_it_ended
from ei.runtime.jail import LAYERS, OF_OURS, OPEN, Jail
from ei.runtime.loader import FoundService, is_ours
from ei.runtime.pieces import cut
from ei.runtime.rehearsal import MAX_EVENT_BYTES, STATE_BYTES
from ei.runtime.voices import Jailed, LastWords, hear
from ei.runtime.worker import WorkerOrder, socket_pair

SILENCE_S = 60.0
"""For so long a worker may be silent: its own limits end an event, this only a hang."""

WITHIN_S = 600.0
"""For one story."""

HASH_SEED = "PYTHONHASHSEED"
MOST_SAID = 2_000
"""Bytes of its standard error that are looked at."""

_MODULE = "ei.conform.worker"


class Apart(NamedTuple):
    """What a worker made of a story.

    Attributes:
        messages: By origin.
        state: The digest at the end; empty when it ended before.
        jail: How it was kept in.
        cause: Why it ended before; empty when it did not.
    """

    messages: tuple[list[bytes], ...]
    state: str
    jail: Jail
    cause: str


def check_worker(
    module: FoundService,
    story: Story,
    reference: Record,
    environ: Mapping[str, str],
    *,
    is_trusted: bool = True,
) -> tuple[Verdict, Jail]:
    """Play a story to a jailed worker; return what came of it, and how its jail stood.

    Args:
        module: The module.
        story: What it is played.
        reference: What it made of that elsewhere.
        environ: Of the worker's process.
        is_trusted: Whether it runs as well where a layer of the jail is missing.

    Raises:
        OSError: No process or descriptor is left.
    """
    apart = rehearse_apart(module, story, environ, is_trusted=is_trusted)
    return _held_against(story, reference, apart), apart.jail


def rehearse_apart(
    module: FoundService, story: Story, environ: Mapping[str, str], *, is_trusted: bool = True
) -> Apart:
    """Play a story to a worker.

    Raises:
        OSError: No process or descriptor is left.
    """
    folder = module.folder
    with tempfile.TemporaryDirectory(prefix="ei-conform-") as place, ExitStack() as made:
        order = WorkerOrder(
            folder=str(folder.resolve()),
            node=bytes(SELF),
            seed=SEED,
            store=str(Path(place) / "stable"),
            config=story.config,
            layers=OF_OURS if is_ours(folder) else LAYERS,
            is_trusted=is_trusted,
            is_rehearsal=True,
        )
        count = 2 if "streams" in module.manifest.capabilities else 1
        worker = _Worker(order, count, environ, made)
        for sent in batches(story):
            if not worker.hand(sent):
                break
        return worker.end()


class _Worker:
    """A worker's process, and our ends of what leads there; all of it is gone with `made`."""

    def __init__(
        self, order: WorkerOrder, count: int, environ: Mapping[str, str], made: ExitStack
    ) -> None:
        pairs = [socket_pair() for _ in range(count)]
        self._ends = [made.enter_context(ours) for ours, _ in pairs]
        self._words, writer = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        os.set_blocking(self._words, False)
        _ = made.callback(os.close, self._words)
        self._errors = made.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 see `made`
        theirs = [*(end.detach() for _, end in pairs), writer]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, *map(str, (os.getpid(), *theirs))],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=theirs,
                env={**environ, HASH_SEED: "2" if environ.get(HASH_SEED) == "1" else "1"},
            )
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        _ = made.callback(self._kill)
        if self._process.stdin is not None:
            with self._process.stdin as stdin:
                _ = stdin.write(msgspec.msgpack.encode(order))
        self._origins = {end.fileno(): origin for origin, end in enumerate(self._ends)}
        self._poll = select.poll()
        for end in self._ends:
            self._poll.register(end, select.POLLIN)
        self._messages: tuple[list[bytes], ...] = tuple([] for _ in pairs)
        self._until_s = time.monotonic() + WITHIN_S

    def hand(self, sent: Sent) -> bool:
        """Hand over a batch, and wait for its answer; return whether there was one."""
        try:
            _ = self._ends[sent.origin].send(sent.batch)
        except ConnectionError:
            return False
        wanted = _HEADS.decode(sent.batch).sequence
        while (heard := self._hear()) is not None:
            origin, message = heard
            if origin == sent.origin and _HEADS.decode(message).sequence == wanted:
                return True
        return False

    def end(self) -> Apart:
        """Let it end; return all that it said."""
        for end in self._ends[:1]:
            end.shutdown(socket.SHUT_WR)
        while self._origins and self._hear() is not None:
            pass
        first = self._messages[0]
        state = first.pop().decode() if first and len(first[-1]) == STATE_BYTES else ""
        jail, cause = OPEN, ""
        for words in (hear(self._words), hear(self._words)):
            match words:
                case Jailed(jail=jail):
                    pass
                case LastWords(cause=cause):
                    pass
                case None:
                    pass
        return Apart(self._messages, state, jail, "" if state else cause or self._how_it_ended())

    def _hear(self) -> tuple[int, bytes] | None:
        """Take the next message of any origin; `None` when it has hung up, or is silent."""
        while self._origins:
            left_s = min(SILENCE_S, max(0.0, self._until_s - time.monotonic()))
            ready = self._poll.poll(left_s * 1_000)
            if not ready:
                return None
            descriptor, _ = ready[0]
            origin = self._origins[descriptor]
            try:
                message = self._ends[origin].recv(MAX_EVENT_BYTES)
            except ConnectionError:
                message = b""
            if message:
                self._messages[origin].append(message)
                return origin, message
            self._poll.unregister(descriptor)
            del self._origins[descriptor]
        return None

    def _how_it_ended(self) -> str:
        if self._process.poll() is None and self._origins:
            return f"silent for {SILENCE_S:g} s"
        status = self._process.wait(SILENCE_S)
        _ = self._errors.seek(0)
        last = self._errors.read()[-MOST_SAID:].decode(errors="replace").strip().splitlines()
        return how_it_ended(status) + (f": {last[-1]}" if last else "")

    def _kill(self) -> None:
        self._process.kill()
        _ = self._process.wait()


class _Head(msgspec.Struct, frozen=True, array_like=True):
    """Of an `EventBatch` or `EffectBatch`."""

    sequence: int


_HEADS = msgspec.msgpack.Decoder(_Head)


def _held_against(story: Story, reference: Record, apart: Apart) -> Verdict:
    """Compare what a worker said with the reference, origin by origin."""
    at = [0 for _ in apart.messages]
    for heard in reference.heard:
        for origin, reply in heard.replies:
            expected = cut(reply)
            seen = apart.messages[origin][at[origin] : at[origin] + len(expected)]
            at[origin] += len(expected)
            if len(seen) < len(expected):
                return broken(heard.sent.first, said_of(heard, f"it ended: {apart.cause}"))
            if seen != expected:
                replies = [(origin, message) for message in seen]
                wanted = [(origin, message) for message in expected]
                return broken(heard.sent.first, said_of(heard, said_otherwise(replies, wanted)))
    if apart.state != reference.state:
        said = apart.cause or "all effects agree, but the state in the end does not"
        return broken(story.events, said)
    return KEPT
