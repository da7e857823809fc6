"""A simulation in several processes: each runs whole domains, and time passes in windows.

No datagram between two domains arrives sooner than the smallest delay between them. So from the
earliest thing that happens anywhere all processes may let that much time pass by themselves; then
they meet, hand over what they sent one another, and agree on the next window. A datagram is put
among the events of its receiver by its time and link alone: what happens is the same in one process
as in many.

```
share ── Met(what happens next, mail for the others) ──▶ whoever began it
share ◀─ (until when time may pass, mail from the others)
```
"""

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from ei.errors import ConfigError, EiError, LocalError
from ei.lab.clock import FOREVER_NS, VirtualClock, run_virtual
from ei.lab.network import Leave
from ei.lab.topology import LinkKind, Topology

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

Letter = tuple[int, int, bytes]
"""When a datagram arrives, the number of its link, and the datagram."""

Work = Callable[[VirtualClock, "Share", TaskT], Coroutine[Any, Any, ResultT]]
"""What each process does. A function of a module, since it goes to another process by its name."""


@dataclass(frozen=True, slots=True)
class Met:
    """A share has come to the end of its window.

    Attributes:
        next_ns: When something happens next in it; `None` for never.
        mail: By number of the share that gets it.
    """

    next_ns: int | None
    mail: dict[int, list[Letter]]


@dataclass(frozen=True, slots=True)
class Said:
    """How far it is, for people."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended(Generic[ResultT]):
    """It is through."""

    result: ResultT


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot go on."""

    error: str


class Share:
    """What one process has to do with the others.

    Args:
        number: Of this share.
        shares: How many there are.
        connection: To who began them.
        owners: Number of the share by name of the domain.
    """

    def __init__(
        self, number: int, shares: int, connection: Connection, owners: Mapping[str, int]
    ) -> None:
        self.number = number
        self._shares = shares
        self._connection = connection
        self._owners = owners
        self._mail: dict[int, list[Letter]] = {}
        self._take: Leave | None = None

    def leave_to(self, name: str) -> Leave | None:
        """Return who gets what is sent to a node or host; `None` where it is in this share."""
        owner = self._owners[name.partition(".")[2]]
        return None if owner == self.number else partial(self._post, owner)

    def join(self, clock: VirtualClock, take: Leave) -> None:
        """Let time pass on `clock` as all agree; `take` gets what the others send."""
        self._take = take
        if self._shares > 1:
            clock.share(self._meet)

    def say(self, text: str) -> None:
        """Tell people how far this is; of all shares the first does."""
        if self.number == 0:
            self._connection.send(Said(text))

    def end(self, word: Ended[Any] | Failed) -> None:
        """Say how it ended."""
        self._connection.send(word)

    def _post(self, owner: int, at_ns: int, number: int, datagram: bytes) -> None:
        self._mail.setdefault(owner, []).append((at_ns, number, datagram))

    def _meet(self, next_ns: int | None) -> int:
        mail, self._mail = self._mail, {}
        self._connection.send(Met(next_ns, mail))
        horizon_ns, letters = self._connection.recv()
        if self._take is not None:
            for at_ns, number, datagram in letters:
                self._take(at_ns, number, datagram)
        return int(horizon_ns)


def deal(topology: Topology, processes: int) -> dict[str, int]:
    """Return the share of each domain: the largest first, each to the share that has least.

    Raises:
        ConfigError: there are more processes than domains.
    """
    if not 1 <= processes <= len(topology.domains):
        raise ConfigError(
            f"{processes} processes for {len(topology.domains)} domains; a domain is in one"
            " process: 1 to as many as there are domains are allowed",
            remedy="Ask for fewer processes, or for more nodes: there are 10 to a domain.",
        )
    sizes = dict.fromkeys(topology.domains, 0)
    for plan in topology.residents:
        sizes[plan.domain] += 1
    loads = [0] * processes
    owners: dict[str, int] = {}
    for domain in sorted(sizes, key=sizes.__getitem__, reverse=True):
        share = loads.index(min(loads))
        owners[domain] = share
        loads[share] += sizes[domain]
    return owners


def lookahead_ns(topology: Topology, owners: Mapping[str, int]) -> int:
    """Return how far one share may go without hearing from the others.

    Raises:
        ConfigError: a datagram between two of them might take no time.
    """
    crossing = [topology.link_defaults[LinkKind.DOMAIN]]
    links = list(topology.links)
    links += [(host.name, node) for host in topology.hosts.values() for node in host.nodes]
    for a, b in links:
        if owners[a.partition(".")[2]] != owners[b.partition(".")[2]]:
            crossing.append(topology.impairment(a, b))
    least_ms = min(0.0 if each.reorder else each.delay_ms for each in crossing)
    if least_ms <= 0.0:
        raise ConfigError(
            "a link between domains has no delay, or lets datagrams overtake without one: each"
            " process of a simulation waits for the others as seldom as that delay is long",
            remedy="Give the links between domains a delay, or use one process.",
        )
    return round(least_ms * 1e6)


def run_shares(
    work: Work[TaskT, ResultT],
    task: TaskT,
    topology: Topology,
    *,
    processes: int,
    on_said: Callable[[str], object] = str,
) -> list[ResultT]:
    """Run `work(clock, share, task)` in each of some processes of its own; return their results.

    Args:
        topology: What is dealt to them; the work makes it from its task by itself.
        on_said: Gets what the first of them says of its progress.

    Raises:
        ConfigError: there are too many of them.
        LocalError: one of them failed.
    """
    owners = deal(topology, processes)
    window_ns = lookahead_ns(topology, owners) if processes > 1 else FOREVER_NS
    with _begun(work, task, owners, processes) as connections:
        meeting: _Meeting[ResultT] = _Meeting(connections, window_ns, on_said)
        while not meeting.is_over:
            meeting.step()
        return meeting.results


@dataclass(slots=True)
class _Meeting(Generic[ResultT]):
    connections: Sequence[Connection]
    window_ns: int
    on_said: Callable[[str], object]
    _met: dict[int, Met] = field(default_factory=dict)
    _ended: dict[int, ResultT] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return len(self._ended) == len(self.connections)

    @property
    def results(self) -> list[ResultT]:
        return [self._ended[number] for number in range(len(self.connections))]

    def step(self) -> None:
        """Hear what the shares say; once all wait for one another, let them go on."""
        numbers = {id(each): number for number, each in enumerate(self.connections)}
        awaited = [
            each
            for number, each in enumerate(self.connections)
            if number not in self._met and number not in self._ended
        ]
        for ready in wait(awaited):
            if isinstance(ready, Connection):
                self._hear(numbers[id(ready)], ready)
        if self._met and len(self._met) + len(self._ended) == len(self.connections):
            self._go_on()

    def _hear(self, number: int, connection: Connection) -> None:
        try:
            said: Met | Said | Ended[ResultT] | Failed = connection.recv()
        except (EOFError, ConnectionError):
            said = Failed(_WITHOUT_A_WORD)
        match said:
            case Met():
                self._met[number] = said
            case Said(text):
                _ = self.on_said(text)
            case Ended():
                self._ended[number] = said.result
            case Failed(error):
                raise _failure(number, error)

    def _go_on(self) -> None:
        mail: dict[int, list[Letter]] = {}
        for met in self._met.values():
            for to, letters in met.mail.items():
                mail.setdefault(to, []).extend(letters)
        times_ns = [met.next_ns for met in self._met.values() if met.next_ns is not None]
        times_ns += [at_ns for letters in mail.values() for at_ns, _, _ in letters]
        if not times_ns:
            raise LocalError("nothing can happen any more, but the simulation has not ended")
        horizon_ns = min(times_ns) + self.window_ns
        for number in self._met:
            try:
                self.connections[number].send((horizon_ns, mail.get(number, [])))
            except OSError as error:
                raise _failure(number, _WITHOUT_A_WORD) from error
        self._met.clear()


_WITHOUT_A_WORD = "it ended without a word"


def _failure(number: int, error: str) -> LocalError:
    return LocalError(f"process {number + 1} of the simulation failed: {error}")


@contextmanager
def _begun(
    work: Work[TaskT, ResultT], task: TaskT, owners: Mapping[str, int], processes: int
) -> Generator[list[Connection]]:
    context = multiprocessing.get_context("spawn")
    connections: list[Connection] = []
    children: list[BaseProcess] = []
    try:
        for number in range(processes):
            ours, theirs = (Connection(end.detach()) for end in socket.socketpair())
            share = Share(number, processes, theirs, owners)
            child = context.Process(target=_run_share, args=(work, task, share), daemon=True)
            child.start()
            children.append(child)
            connections.append(ours)
            theirs.close()
        yield connections
    finally:
        _end(children, connections)


def _end(children: Iterable[BaseProcess], connections: Iterable[Connection]) -> None:
    for connection in connections:
        connection.close()
    for child in children:
        child.terminate()
        child.join()


def _run_share(work: Work[TaskT, ResultT], task: TaskT, share: Share) -> None:
    # Who began it is told to stop, and ends it.
    _ = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        share.end(Ended(run_virtual(lambda clock: work(clock, share, task))))
    except EiError as error:
        share.end(Failed(str(error)))
    except (EOFError, BrokenPipeError):
        os._exit(1)  # who began it is gone
