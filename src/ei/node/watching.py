"""What workers tell of their events, kept for who writes their services: `ei dev` asks for it."""

import asyncio
import socket
from collections import deque
from collections.abc import Collection

import msgspec

from ei.runtime.jail import Jail
from ei.runtime.watching import TOLD, Begun, Handled
from ei.runtime.worker import memory_limit_bytes
from ei.sdk import Manifest
from ei.sdk.tiers import TIERS

MOST_KEPT = 2_048
MAX_MESSAGE_BYTES = 256 * 1024


class Running(msgspec.Struct, frozen=True, tag="running"):
    """A worker has closed its jail; its module is loaded next, which may still fail."""

    pid: int
    jail: Jail


class Died(msgspec.Struct, frozen=True, tag="died"):
    """A worker has ended.

    Attributes:
        cause: Its last words, or how it ended.
        over: Kinds of the events that it had begun and not ended.
        again_s: When it is started again, in seconds from then.
    """

    cause: str
    over: tuple[str, ...]
    again_s: float


Entry = Running | Handled | Died


class Limits(msgspec.Struct, frozen=True):
    """What one event may come to: CPU time, effects, and the memory of the process.

    Attributes:
        start_ms: CPU time until the module is loaded.
    """

    cpu_ms: int
    start_ms: int
    effects: int
    memory_bytes: int


def limits_of(manifest: Manifest) -> Limits:
    """Return the limits of a service."""
    tier = TIERS[manifest.tier]
    return Limits(manifest.handler_ms, tier.start_ms, tier.effects, memory_limit_bytes(manifest))


class Numbered(msgspec.Struct, frozen=True):
    """An entry, and its number: they count up from 1."""

    number: int
    entry: Entry


class _Log:
    """Of one service."""

    def __init__(self) -> None:
        self.entries: deque[Numbered] = deque(maxlen=MOST_KEPT)
        self.doing: tuple[str, ...] = ()
        self.total = 0
        self.end: socket.socket | None = None
        self.is_running = False
        self.early: deque[Handled] = deque(maxlen=MOST_KEPT)
        """What came before the word that its worker runs, which comes another way."""

    def begin(self) -> None:
        """Take what came early."""
        self.is_running = True
        while self.early:
            self.add(self.early.popleft())

    def add(self, entry: Entry) -> None:
        self.total += 1
        self.entries.append(Numbered(self.total, entry))


class Watching:
    """The newest of what is told of each watched service.

    Args:
        services: Their names.
    """

    def __init__(self, services: Collection[str]) -> None:
        self._logs = {name: _Log() for name in services}

    def __contains__(self, service: str) -> bool:
        return service in self._logs

    def since(self, service: str, number: int) -> list[Numbered]:
        """Return what was told of a service after an entry, as far as it is kept.

        Raises:
            KeyError: it is not watched.
        """
        self._hear(service)
        return [each for each in self._logs[service].entries if each.number > number]

    def open(self, service: str) -> socket.socket:
        """Return the end for a worker that is about to start, on the running loop."""
        log = self._logs[service]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        self._close(log)
        log.end, log.is_running = ours, False
        asyncio.get_running_loop().add_reader(ours, self._hear, service)
        return theirs

    def running(self, service: str, pid: int, jail: Jail) -> None:
        """Take note of a worker whose jail has closed."""
        log = self._logs[service]
        log.add(Running(pid, jail))
        log.begin()

    def died(self, service: str, cause: str, *, again_s: float) -> None:
        """Take note of the end of a worker."""
        self._hear(service)
        log = self._logs[service]
        self._close(log)
        log.begin()
        doing, log.doing = log.doing, ()
        log.add(Died(cause, doing, again_s))

    def close(self) -> None:
        """Listen to nobody any more. Idempotent."""
        for log in self._logs.values():
            self._close(log)

    def _hear(self, service: str) -> None:
        log = self._logs[service]
        for _ in range(MOST_KEPT):  # who tells more, and faster, is heard again in a moment
            if log.end is None:
                return
            try:
                message = log.end.recv(MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except ConnectionError:
                message = b""
            if not message:
                self._close(log)
                return
            self._take(log, message)

    def _take(self, log: _Log, message: bytes) -> None:
        try:
            told = TOLD.decode(message)
        except msgspec.MsgspecError:  # a module shares its process with who tells
            return
        match told:
            case Begun(events=events):
                log.doing = events
            case Handled():
                log.doing = ()
                if log.is_running:
                    log.add(told)
                else:
                    log.early.append(told)

    def _close(self, log: _Log) -> None:
        if log.end is not None:
            _ = asyncio.get_running_loop().remove_reader(log.end)
            log.end.close()
            log.end = None
