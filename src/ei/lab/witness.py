"""Looks at each party of a lab of real nodes for canaries: links, processes, files, answers.

    seats = {"first_node": Node("sn1.isp-a"), "last_link": Link("*", "127.0.0.1:53")}
    async with watching(lab, seats) as witness:
        ...                       # what is to be hidden happens
        looked = await witness.look(canaries)

Nodes and programs are looked at when `look` is called, best while things happen and again after:
what they have forgotten by then they may have known. Links are listened on from the beginning.
"""

import asyncio
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import assert_never

import msgspec

from ei.errors import DeniedError, LocalError
from ei.lab.canaries import Canary, Search, endpoint_canary, host_canaries
from ei.lab.evidence import read_file
from ei.lab.knowledge import Looked, Place, joined
from ei.lab.layout import Relay
from ei.lab.namespaces import UPLINK
from ei.lab.process_lab import ProcessLab
from ei.lab.searching import Job, searched, searching
from ei.lab.sniffing import Flow, Sniffer
from ei.node.metrics import metrics_text
from ei.node.observed import Observed
from ei.sdk.knowledge import Party

ANSWERS = ("status", "statistics", "traces", "routes", "directory")
"""Verbs of a node's admin socket that show something."""
BUGREPORT_LIMIT_S = 60.0
AT_ONCE = 2
"""Parties that are looked at beside one another."""
ANYBODY = "*"


@dataclass(frozen=True, slots=True)
class Node:
    """A node: its daemon and workers, its folder, what it answers on its admin socket."""

    name: str


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is not ours, such as a name server.

    Attributes:
        pids: Its processes.
        folders: Where it writes.
    """

    pids: tuple[int, ...]
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A link, by what is at its ends: a name of the lab, `127.0.0.1:53`, or `*` for anybody."""

    a: str
    b: str


Seat = Node | Program | Link
"""Where a party sits."""


@dataclass(slots=True)
class Witness:
    """See `watching`.

    Attributes:
        lab: That is watched.
        seats: Of each party.
    """

    lab: ProcessLab
    seats: Mapping[Party, Seat]
    _folder: Path
    _sniffers: dict[Party, Sniffer] = field(default_factory=dict[Party, Sniffer])
    _refused: dict[Party, str] = field(default_factory=dict[Party, str])
    _found: dict[Party, Looked] = field(default_factory=dict[Party, Looked])

    def canaries_of(self, host: str) -> tuple[Canary, ...]:
        """Return those of who and where a host of the lab is, as it is seen where somebody sits.

        Args:
            host: Its name must be one that is nowhere else.
        """
        full = self.lab.topology.find(host)
        found = list(host_canaries(full, self.lab.keys_of(full), self.lab.host(full).address))
        places = {"IP address of the host by itself": self._endpoint(full)}
        for relay in self.lab.relays:
            other = relay.b if relay.a == full else relay.a
            if full in (relay.a, relay.b) and Node(other) in self.seats.values():
                places[f"IP address of the host as {other} sees it"] = _side_of(relay, full)
        found += [endpoint_canary("client_place", what, each) for what, each in places.items()]
        return tuple(found)

    async def look(self, canaries: Sequence[Canary]) -> tuple[Looked, ...]:
        """Return what was found at each party, by now and whenever this was called before.

        Raises:
            EiError: a node does not answer.
        """
        parties: dict[Seat, Party] = {seat: party for party, seat in self.seats.items()}
        few = asyncio.Semaphore(AT_ONCE)

        async def look_at(seat: Seat) -> Looked:
            async with few:
                return await self._look(parties[seat], seat, tuple(canaries))

        found = dict(zip(parties, await asyncio.gather(*map(look_at, parties)), strict=True))
        for party, seat in self.seats.items():
            now = msgspec.structs.replace(found[seat], party=party)
            before = self._found.get(party)
            self._found[party] = now if before is None else joined(before, now)
        return tuple(self._found.values())

    async def _look(self, party: Party, seat: Seat, canaries: tuple[Canary, ...]) -> Looked:
        match seat:
            case Link():
                return await asyncio.to_thread(self._look_at_link, party, Search(canaries))
            case Program(pids, folders):
                return await searching(Job(party, pids, tuple(map(str, folders)), canaries))
            case Node(name):
                pids, folder = await self.lab.processes(name), str(self.lab.folder(name))
                # Memory first: to be asked brings together what lay apart.
                seen = await searching(Job(party, pids, (folder,), canaries))
                answers = [place async for place in self._answers(name, Search(canaries))]
                return msgspec.structs.replace(seen, places=(*seen.places, *answers))
            case _:
                assert_never(seat)

    def packets(self, party: Party) -> int:
        """Return how many packets went by a link so far; 0 where listening is not allowed."""
        return self._sniffers[party].packets if party in self._sniffers else 0

    # -- links ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Listen on the links."""
        namespaces = await self.lab.namespaces()
        for party, seat in self.seats.items():
            if isinstance(seat, Link):
                place = next((namespaces[n] for n in self._named(seat) if n in namespaces), None)
                device = "lo" if place is None else UPLINK
                try:
                    self._sniffers[party] = Sniffer(
                        self._folder / f"{party}.pcap",
                        link := self._filter(seat),
                        addresses=link.addresses,
                        namespace=place,
                        device=device,
                    )
                except DeniedError as error:
                    self._refused[party] = f"{error}; {error.remedy}"

    def close(self) -> None:
        """Listen no more. Idempotent."""
        for sniffer in self._sniffers.values():
            sniffer.stop()

    def _named(self, link: Link) -> Iterator[str]:
        for end in (link.a, link.b):
            if end in self.lab.topology.nodes or end in self.lab.topology.hosts:
                yield end

    def _filter(self, link: Link) -> "_OnLink":
        return _OnLink(self._ends(link.a, link.b), self._ends(link.b, link.a))

    def _ends(self, name: str, other: str) -> frozenset[str] | None:
        """Return the addresses that stand for one end of a link; `None` for all."""
        if name == ANYBODY:
            return None
        if name[:1].isdigit():
            return frozenset({name})
        own = self._endpoint(name).rpartition(":")[0]
        sides = {
            _side_of(each, name) for each in self.lab.relays if {each.a, each.b} == {name, other}
        }
        return frozenset({own, *(side.rpartition(":")[0] for side in sides)})

    def _endpoint(self, name: str) -> str:
        """Return where a node or host has its socket."""
        for relay in self.lab.relays:
            if name in (relay.a, relay.b):
                return relay.a_endpoint if relay.a == name else relay.b_endpoint
        return self.lab.endpoint(name)

    def _look_at_link(self, party: Party, search: Search) -> Looked:
        if party in self._refused:
            return Looked(party, (), (("the link", self._refused[party]),))
        sniffer = self._sniffers[party]
        lost = sniffer.lost()
        flows = "".join(f"{a}:{b} > {c}:{d}\n" for a, b, c, d in sorted(sniffer.flows)).encode()
        path = self._folder / f"{party}.pcap"
        places = (
            searched("capture", f"{sniffer.packets} packets", read_file(path), search),
            searched("capture", "addresses of its packets", [(0, flows)], search),
        )
        missing = (("the link", f"{lost} packets were lost"),) if lost else ()
        if not sniffer.packets:
            missing = (("the link", "nothing went by it"),)
        return Looked(party, places, missing)

    # -- nodes ------------------------------------------------------------------------------------

    async def _answers(self, name: str, search: Search) -> AsyncGenerator[Place]:
        for verb in ANSWERS:
            answer = msgspec.json.encode(await self.lab.ask_node(name, verb, {}))
            yield searched("admin", verb, [(0, answer)], search)
        observed = Observed(
            await self.lab.running_status(name),
            unix_s=self.lab.unix_s(),
            version=metadata.version("extensible-internet"),
        )
        yield searched("metrics", "/metrics", [(0, metrics_text(observed).encode())], search)
        for file, content in await asyncio.to_thread(bugreport_of, self.lab.folder(name)):
            yield searched("bugreport", file, [(0, content)], search)


@asynccontextmanager
async def watching(lab: ProcessLab, seats: Mapping[Party, Seat]) -> AsyncGenerator[Witness]:
    """Watch the parties of a lab while the block lasts.

    Args:
        lab: Of real nodes, open.
        seats: Where each party sits; several may sit at one place.
    """
    with tempfile.TemporaryDirectory(prefix="ei-witness-") as folder:
        witness = Witness(lab, seats, Path(folder))
        try:
            await witness.open()
            yield witness
        finally:
            witness.close()


def bugreport_of(folder: Path) -> list[tuple[str, bytes]]:
    """Return the files of the bug report of one daemon of a lab: name, content.

    Raises:
        LocalError: `ei bugreport` failed; with what it said.
    """
    with tempfile.TemporaryDirectory(prefix="ei-witness-") as place:
        path = Path(place) / "report.tar.gz"
        environ = {key: value for key, value in os.environ.items() if key != "EI_LAB"}
        words = ["bugreport", "--socket", str(folder / "admin.sock"), "--out", str(path)]
        done = subprocess.run(
            [sys.executable, "-m", "ei", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=BUGREPORT_LIMIT_S,
            env={**environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        if not path.exists():
            raise LocalError(f"ei bugreport of {folder.name}: {done.stderr.strip()}")
        with tarfile.open(path) as archive:
            read = [(each.name, archive.extractfile(each)) for each in archive.getmembers()]
            return [(name, file.read()) for name, file in read if file is not None]


@dataclass(frozen=True, slots=True)
class _OnLink:
    """Whether a flow is between two ends, each some addresses, with a port or without."""

    one: frozenset[str] | None
    other: frozenset[str] | None

    @property
    def addresses(self) -> frozenset[str]:
        """Addresses of which each packet on the link has one."""
        ends = (end for end in (self.one, self.other) if end is not None)
        return frozenset(each.rpartition(":")[0] or each for end in ends for each in end)

    def __call__(self, flow: Flow) -> bool:
        source, to = _names(flow[0], flow[1]), _names(flow[2], flow[3])
        there = _is_in(source, self.one) and _is_in(to, self.other)
        return there or (_is_in(source, self.other) and _is_in(to, self.one))


def _names(ip: str, port: int) -> set[str]:
    return {ip, f"{ip}:{port}"}


def _is_in(names: set[str], end: frozenset[str] | None) -> bool:
    return end is None or not names.isdisjoint(end)


def _side_of(relay: Relay, name: str) -> str:
    """Return the endpoint that stands for `name` at the other end of its link."""
    return relay.b_side if relay.a == name else relay.a_side
