"""The simulated underlay: datagrams between endpoints, over seeded links, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ei._core import Link
from ei.errors import NotFoundError
from ei.lab.clock import VirtualClock
from ei.lab.eventlog import EventLog
from ei.lab.seeds import derive_number
from ei.lab.topology import Impairment, Topology

Arrive = Callable[[int, str, list[bytes]], list[str]]
"""Takes (now_ns, endpoint it came from, datagrams in order); returns the fate of each."""


class Tap(Protocol):
    """Sees a datagram that arrives: when, from where, to where, and what is known of its fate."""

    def __call__(
        self, now_ns: int, source: str, to: str, datagram: bytes, *, comment: str = ""
    ) -> None: ...


"""Sees each datagram that arrives: (now_ns, from endpoint, to endpoint, datagram)."""

MIN_DELAY_S = 1e-6
"""So that time moves even where a topology asks for no delay at all."""

LOST = "lost on the link"
"""Fate of a datagram that no end of a link ever sees."""

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
    """Where one host or node touches the underlay."""

    name: str
    endpoint: str
    arrive: Arrive
    paths: dict[str, _Path]
    shows_headers: bool = False
    frozen: list[tuple[_Path, list[bytes]]] | None = None


@dataclass(slots=True)
class _Path:
    """One direction of a link; `open_batch` takes what will arrive at `open_batch_ns`."""

    number: int
    link: Link
    sender: Port
    receiver: Port
    open_batch_ns: int = -1
    open_batch: list[bytes] | None = None


class Network:
    """All links of a lab; they come into being when first used.

    Args:
        clock: Moves the datagrams.
        topology: Names the links and their properties.
        seed: Of all links; each draws from its own stream.
        log: Hears of every datagram; `None` keeps no log.
    """

    def __init__(
        self, clock: VirtualClock, topology: Topology, *, seed: int, log: EventLog | None = None
    ) -> None:
        self._clock = clock
        self._topology = topology
        self._seed = seed
        self._log = log
        self._ports: dict[str, Port] = {}
        self._names: dict[str, Port] = {}
        self._paths: dict[tuple[str, str], _Path] = {}
        self._changes = 0
        self.tap: Tap | None = None
        self.datagrams = 0
        self.lost = 0

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
        known = self._names.get(name)
        if known is not None:
            known.arrive = arrive
            known.frozen = None
            self._ports[endpoint] = known
            return known
        port = Port(name, endpoint, arrive, {}, shows_headers)
        self._ports[endpoint] = self._names[name] = port
        return port

    def detach(self, name: str) -> None:
        """Take a host or node away; what is under way to it is lost."""
        port = self._names[name]
        port.arrive = _nobody
        port.frozen = None

    def send(self, sender: Port, datagrams: Iterable[tuple[str, bytes]]) -> None:
        """Put (endpoint, datagram) pairs on their links, in order."""
        now_ns = self._clock.now_ns
        for endpoint, datagram in datagrams:
            path = sender.paths.get(endpoint) or self._path(sender, endpoint)
            if path is None:
                continue
            self.datagrams += 1
            arrivals = path.link.offer(now_ns, datagram)
            if not arrivals:
                self.lost += 1
                if self._log is not None:
                    self._log.datagram(now_ns, link=path.number, length=len(datagram), fate=LOST)
            for at_ns, copy in arrivals:
                if path.open_batch_ns == at_ns and path.open_batch is not None:
                    path.open_batch.append(copy)
                    continue
                path.open_batch_ns = at_ns
                path.open_batch = batch = [copy]
                self._clock.at(at_ns, partial(self._arrive, path, batch), link=path.number)

    def change(self, a: str, b: str, impairment: Impairment) -> None:
        """Give the link between two names new properties, in both directions, from now on."""
        self._changes += 1
        for sender, receiver in ((a, b), (b, a)):
            path = self._path(self._port(sender), self._port(receiver).endpoint)
            if path is not None:
                path.link = self._make_link(sender, receiver, impairment)

    def rebind(self, name: str, endpoint: str) -> None:
        """Move `name` to another endpoint, as a NAT does: what is sent to the old one is lost."""
        port = self._port(name)
        for other in self._ports.values():
            _ = other.paths.pop(port.endpoint, None)
        del self._ports[port.endpoint]
        port.endpoint = endpoint
        self._ports[endpoint] = port

    def freeze(self, name: str) -> None:
        """Let what arrives at `name` wait, as at a process that is stopped."""
        port = self._port(name)
        port.frozen = port.frozen or []

    def thaw(self, name: str) -> None:
        """Let what waited at `name` arrive."""
        port = self._port(name)
        waiting, port.frozen = port.frozen or [], None
        for path, batch in waiting:
            self._arrive(path, batch, self._clock.now_ns)

    def link_ends(self, number: int) -> tuple[str, str]:
        """Return the names of sender and receiver of the link of a number in the event log.

        Raises:
            NotFoundError: no link has that number yet.
        """
        for path in self._paths.values():
            if path.number == number:
                return path.sender.name, path.receiver.name
        raise NotFoundError(f"there is no link {number}; {len(self._paths)} are in use")

    def statistics(self) -> dict[str, int]:
        """Datagrams offered and lost so far, links in use."""
        return {"datagrams": self.datagrams, "lost": self.lost, "links": len(self._paths)}

    def _arrive(self, path: _Path, batch: list[bytes], now_ns: int) -> None:
        if path.open_batch is batch:
            path.open_batch = None
        receiver = path.receiver
        source = path.sender.endpoint
        if self.tap is not None and not receiver.shows_headers:
            for datagram in batch:
                self.tap(now_ns, source, receiver.endpoint, datagram)
        if receiver.frozen is not None:
            fates = _keep_frozen(receiver.frozen, path, batch)
        else:
            fates = receiver.arrive(now_ns, source, batch)
        if self._log is not None:
            for datagram, fate in zip(batch, fates, strict=True):
                self._log.datagram(now_ns, link=path.number, length=len(datagram), fate=fate)

    def _path(self, sender: Port, endpoint: str) -> _Path | None:
        """Return the path to an endpoint; `None` where nobody ever was."""
        receiver = self._ports.get(endpoint)
        if receiver is None:
            return None
        key = (sender.name, receiver.name)
        path = self._paths.get(key)
        if path is None:
            impairment = self._topology.impairment(*key)
            link = self._make_link(*key, impairment)
            path = self._paths[key] = _Path(len(self._paths) + 1, link, sender, receiver)
        sender.paths[endpoint] = path
        return path

    def _make_link(self, sender: str, receiver: str, impairment: Impairment) -> Link:
        seed = derive_number(self._seed, "link", sender, receiver, str(self._changes))
        return make_link(impairment, seed=seed, min_delay_s=MIN_DELAY_S)

    def _port(self, name: str) -> Port:
        try:
            return self._names[name]
        except KeyError:
            raise NotFoundError(f"{name} is not on the underlay") from None


def _nobody(_now_ns: int, _source: str, datagrams: list[bytes]) -> list[str]:
    return ["nobody there"] * len(datagrams)


def _keep_frozen(
    kept: list[tuple[_Path, list[bytes]]], path: _Path, batch: list[bytes]
) -> list[str]:
    if sum(len(datagrams) for _, datagrams in kept) + len(batch) > FROZEN_DATAGRAMS:
        return ["full while frozen"] * len(batch)
    kept.append((path, batch))
    return ["frozen"] * len(batch)
