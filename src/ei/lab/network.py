"""The simulated underlay: datagrams between endpoints, over seeded links, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from ei._core import Datapath, Link
from ei.errors import NotFoundError
from ei.lab.capture import Capture
from ei.lab.clock import VirtualClock
from ei.lab.eventlog import EventLog
from ei.lab.seeds import derive_number
from ei.lab.topology import Impairment, Topology

Arrive = Callable[[int, str, list[bytes]], list[str]]
"""Takes (now_ns, endpoint it came from, datagrams in order); returns the fate of each."""

Leave = Callable[[int, int, bytes], None]
"""Takes (when it arrives, number of the link, datagram) for who is in another process."""


class Tap(Protocol):
    """Sees a datagram that arrives: when, from where, to where, and what is known of its fate."""

    def __call__(
        self, now_ns: int, source: str, to: str, datagram: bytes, *, comment: str = ""
    ) -> None: ...


"""Sees each datagram that arrives: (now_ns, from endpoint, to endpoint, datagram)."""

MIN_DELAY_S = 1e-6
"""So that time moves even where a topology asks for no delay at all."""

LOST = "lost on the link"
"""Fate of a datagram that no end of a link ever sees; the native underlay says so."""

NOWHERE: Mapping[str, str] = MappingProxyType({})

MOST_NAMES = 2**15
"""In a lab: `ei.lab.layout` has no more endpoints. A link's number is made of those of its ends."""

FROZEN_DATAGRAMS = 256
"""What the socket buffer of a process that is stopped keeps: 212_992 B at 832 B a datagram."""


def make_link(impairment: Impairment, *, seed: int, min_delay_s: float = 0.0) -> Link:
    """Return the native model of one direction of a link."""
    link = Link(
        seed=seed,
        delay_s=max(impairment.delay_ms / 1e3, min_delay_s),
        jitter_s=impairment.jitter_ms / 1e3,
        loss=impairment.loss,
        duplicate=impairment.duplicate,
        corrupt=impairment.corrupt,
        reorder=impairment.reorder,
        rate_bps=round(impairment.rate_mbps * 1e6),
        queue_bytes=impairment.queue_kib * 1024,
    )
    link.is_cut = impairment.is_cut
    return link


@dataclass(slots=True)
class Port:
    """Where one host or node touches the underlay; `number` is that of the native underlay."""

    number: int
    name: str
    endpoint: str
    arrive: Arrive
    domain: str
    shows_headers: bool = False
    frozen: list[tuple[_Path, list[bytes]]] | None = None


@dataclass(frozen=True, slots=True)
class _Path:
    """One direction of a link; its ends may be in different processes."""

    index: int
    number: int
    sender: Port
    receiver: Port


class Network:
    """All links of a lab; they come into being when first used.

    Args:
        clock: Moves the datagrams.
        topology: Names the links and their properties.
        seed: Of all links; each draws from its own stream.
        log: Hears of every datagram; `None` keeps no log.
        endpoints: Of all nodes and hosts, by name: what is sent there before they are, or after,
            arrives and nobody is there.
        leave_to: Takes a name; returns who gets what is sent there, `None` where it is here.
    """

    def __init__(  # noqa: PLR0913 all that an underlay touches
        self,
        clock: VirtualClock,
        topology: Topology,
        *,
        seed: int,
        log: EventLog | None = None,
        endpoints: Mapping[str, str] = NOWHERE,
        leave_to: Callable[[str], Leave | None] = lambda _name: None,
    ) -> None:
        self._clock = clock
        self._underlay = clock.underlay
        self._topology = topology
        self._seed = seed
        self._log = log
        self._leave_to = leave_to
        self._planned = {endpoint: name for name, endpoint in endpoints.items()}
        self._endpoints = endpoints
        self._names = [plan.name for plan in topology.residents]
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._ports: dict[str, Port] = {}
        self._named: dict[str, Port] = {}
        self._by_number: list[Port] = []
        self._paths: dict[tuple[str, str], _Path] = {}
        self._by_index: list[_Path] = []
        self._changes = 0
        self._tap: Tap | None = None
        self._underlay.open(on_arrived=self._arrive, on_strays=self._send_strays, log=log)

    @property
    def tap(self) -> Tap | None:
        """Who sees each datagram that arrives."""
        return self._tap

    @tap.setter
    def tap(self, tap: Tap | None) -> None:
        self._tap = tap
        self._underlay.is_tapped = tap is not None

    @property
    def datagrams(self) -> int:
        """How many were put on links so far."""
        return self._underlay.datagrams

    @property
    def lost(self) -> int:
        """Of how many of them nothing arrives."""
        return self._underlay.lost

    def attach(
        self, name: str, endpoint: str, arrive: Arrive, *, shows_headers: bool = False
    ) -> Port:
        """Put a host or node on the underlay; a former one of the same name is gone.

        Args:
            name: As in the topology.
            endpoint: Where it receives.
            arrive: Gets what arrives.
            shows_headers: It calls the tap by itself, with headers in plaintext.
        """
        known = self._named.get(name)
        if known is not None:
            known.arrive = arrive
            known.shows_headers = shows_headers
            known.frozen = None
            self._ports[endpoint] = known
            return known
        domain = name.partition(".")[2]
        number = self._underlay.add_port(endpoint, domain)
        port = Port(number, name, endpoint, arrive, domain, shows_headers)
        self._ports[endpoint] = self._named[name] = port
        self._by_number.append(port)
        return port

    def run(
        self,
        port: Port,
        datapath: Datapath,
        *,
        on_news: Callable[[int], object],
        on_services_due: Callable[[int], object],
        on_logged: Callable[[], object],
    ) -> None:
        """Let what happens to the datapath of a node alone happen without its program.

        Args:
            on_news: There is something for the node's program; gets the time, as the next.
            on_services_due: A deadline of its services has come.
            on_logged: The datapath's log is to be taken.
        """
        self._underlay.add_node(
            port.number,
            datapath,
            on_news=on_news,
            on_services_due=on_services_due,
            on_logged=on_logged,
        )

    def settle(self, port: Port, now_ns: int, *, program_ns: int, services_ns: int) -> None:
        """Send what a node's datapath holds, and let it be woken when something is due."""
        self._underlay.settle(now_ns, port.number, program_ns=program_ns, services_ns=services_ns)
        self._send_strays(now_ns)

    def detach(self, name: str) -> None:
        """Take a host or node away; what is under way to it is lost. Idempotent."""
        port = self._named[name]
        port.arrive = _nobody
        port.frozen = None
        self._underlay.thaw(port.number)
        self._underlay.remove_node(port.number)

    def send(self, sender: Port, datagrams: Iterable[tuple[str, bytes]]) -> None:
        """Put (endpoint, datagram) pairs on their links, in order."""
        now_ns = self._clock.now_ns
        for endpoint, datagram in datagrams:
            self._underlay.send(now_ns, sender.number, endpoint, datagram)
            self._send_strays(now_ns)

    def flush(self, sender: Port, datapath: Datapath) -> int:
        """Put what a datapath wants to send on its links; return how many datagrams."""
        now_ns = self._clock.now_ns
        sent = self._underlay.flush(now_ns, sender.number, datapath)
        self._send_strays(now_ns)
        return sent

    def take(self, at_ns: int, number: int, datagram: bytes) -> None:
        """Let a datagram arrive that was sent in another process, on the link of that number."""
        ends = self.link_ends(number)
        path = self._paths.get(ends)
        if path is None:
            sender, receiver = (self._planned_port(self._endpoints[name]) for name in ends)
            path = self._add_path(sender, receiver, leave=None)
        self._underlay.put(path.index, at_ns, datagram)

    def change(self, a: str, b: str, impairment: Impairment) -> None:
        """Give the link between two names new properties, in both directions, from now on."""
        self._changes += 1
        for sender, receiver in ((a, b), (b, a)):
            path = self._path(self._port(sender), self._port(receiver).endpoint)
            if path is not None:
                link = self._make_link(sender, receiver, impairment)
                self._underlay.set_link(path.index, link)

    def rebind(self, name: str, endpoint: str) -> None:
        """Move `name` to another endpoint, as a NAT does: what is sent to the old one is lost."""
        port = self._port(name)
        self._underlay.move_port(port.number, endpoint)
        del self._ports[port.endpoint]
        _ = self._planned.pop(port.endpoint, None)
        port.endpoint = endpoint
        self._ports[endpoint] = port

    def freeze(self, name: str) -> None:
        """Let what arrives at `name` wait, as at a process that is stopped."""
        port = self._port(name)
        port.frozen = port.frozen or []
        self._underlay.freeze(port.number)

    def thaw(self, name: str) -> None:
        """Let what waited at `name` arrive."""
        port = self._port(name)
        waiting, port.frozen = port.frozen or [], None
        self._underlay.thaw(port.number)
        for path, batch in waiting:
            self._arrive(path.index, batch, self._clock.now_ns)

    def link_ends(self, number: int) -> tuple[str, str]:
        """Return the names of sender and receiver of the link of a number in the event log.

        Raises:
            NotFoundError: no link has that number.
        """
        sender, receiver = divmod(number, MOST_NAMES)
        if number <= 0 or max(sender, receiver) >= len(self._names):
            raise NotFoundError(f"there is no link {number} between {len(self._names)} names")
        return self._names[sender], self._names[receiver]

    def statistics(self) -> dict[str, int]:
        """Datagrams offered and lost so far, links in use."""
        return {"datagrams": self.datagrams, "lost": self.lost, "links": len(self._paths)}

    def _arrive(self, index: int, batch: list[bytes], now_ns: int) -> None:
        path = self._by_index[index]
        receiver = path.receiver
        source = path.sender.endpoint
        if self.tap is not None and not receiver.shows_headers:
            for datagram in batch:
                self.tap(now_ns, source, receiver.endpoint, datagram)
        if receiver.frozen is not None:
            fates = _keep_frozen(receiver.frozen, path, batch)
        else:
            fates = receiver.arrive(now_ns, source, batch)
        log = self._log
        if log is not None:
            domain, number = receiver.domain, path.number
            for datagram, fate in zip(batch, fates, strict=True):
                log.datagram(now_ns, domain=domain, link=number, length=len(datagram), fate=fate)

    def _send_strays(self, now_ns: int) -> None:
        """Send what had no path yet."""
        if not self._underlay.has_strays:
            return
        for number, endpoint, datagram in self._underlay.take_strays():
            path = self._path(self._by_number[number], endpoint)
            if path is None:
                continue
            if not self._underlay.has_link(path.index):
                ends = (path.sender.name, path.receiver.name)
                link = self._make_link(*ends, self._topology.impairment(*ends))
                self._underlay.set_link(path.index, link)
            self._underlay.send(now_ns, number, endpoint, datagram)

    def _path(self, sender: Port, endpoint: str) -> _Path | None:
        """Return the path to an endpoint; `None` where nobody ever will be."""
        receiver = self._ports.get(endpoint)
        if receiver is None:
            if endpoint not in self._planned:
                return None
            receiver = self._planned_port(endpoint)
        path = self._paths.get((sender.name, receiver.name))
        if path is None:
            path = self._add_path(sender, receiver, leave=self._leave_to(receiver.name))
        self._underlay.add_route(path.index, endpoint)
        return path

    def _add_path(self, sender: Port, receiver: Port, *, leave: Leave | None) -> _Path:
        number = self._numbers[sender.name] * MOST_NAMES + self._numbers[receiver.name]
        index = self._underlay.add_path(number, sender.number, receiver.number, leave=leave)
        path = _Path(index, number, sender, receiver)
        self._paths[sender.name, receiver.name] = path
        self._by_index.append(path)
        return path

    def _planned_port(self, endpoint: str) -> Port:
        """Return the port at an endpoint of the topology; nobody is there until it is attached."""
        port = self._ports.get(endpoint)
        return port or self.attach(self._planned[endpoint], endpoint, _nobody)

    def _make_link(self, sender: str, receiver: str, impairment: Impairment) -> Link:
        seed = derive_number(self._seed, "link", sender, receiver, str(self._changes))
        return make_link(impairment, seed=seed, min_delay_s=MIN_DELAY_S)

    def _port(self, name: str) -> Port:
        try:
            return self._named[name]
        except KeyError:
            raise NotFoundError(f"{name} is not on the underlay") from None


@contextmanager
def capturing(network: Network, path: Path, *, unix_offset_ns: int) -> Generator[None]:
    """Write every datagram that arrives to a pcapng file."""
    with path.open("wb") as file:
        writer = Capture(file.write, program="ei simulation", unix_offset_ns=unix_offset_ns)
        network.tap = writer.frame
        try:
            yield
        finally:
            network.tap = None


def _nobody(_now_ns: int, _source: str, datagrams: list[bytes]) -> list[str]:
    return ["nobody there"] * len(datagrams)


def _keep_frozen(
    kept: list[tuple[_Path, list[bytes]]], path: _Path, batch: list[bytes]
) -> list[str]:
    if sum(len(datagrams) for _, datagrams in kept) + len(batch) > FROZEN_DATAGRAMS:
        return ["full while frozen"] * len(batch)
    kept.append((path, batch))
    return ["frozen"] * len(batch)
