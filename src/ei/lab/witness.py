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
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import assert_never

import msgspec

from ei.errors import DeniedError, LocalError
from ei.lab.canaries import Canary, endpoint_canary, find_canaries, host_canaries
from ei.lab.evidence import EXCLUDED_MEMORY, files_below, read_file, read_memory, words_of
from ei.lab.knowledge import Kind, Looked, Place, joined
from ei.lab.layout import Relay
from ei.lab.namespaces import UPLINK
from ei.lab.process_lab import ProcessLab
from ei.lab.sniffing import Flow, Sniffer
from ei.node.metrics import Observed, metrics_text
from ei.sdk.knowledge import Party

ANSWERS = ("status", "statistics", "traces", "routes", "directory")
"""Verbs of a node's admin socket that show something."""
BUGREPORT_LIMIT_S = 30.0
ANYBODY = "*"
EXCLUDED_LAB = (
    "the lab's own files and processes",
    "lab.json and the relays of links know all residents; no node is given them",
)
EXCLUDED_KERNEL = (
    "tables of the kernel",
    "one kernel has them for all parties of a lab; what they hold came by the links",
)


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
        """Return those of who and where a host of the lab is, on each of its links.

        Args:
            host: Its name must be one that is nowhere else.
        """
        full = self.lab.topology.find(host)
        found = list(host_canaries(full, self.lab.keys_of(full), self.lab.host(full).address))
        places = {"IP address of the host by itself": self._endpoint(full)}
        for relay in self.lab.relays:
            if full in (relay.a, relay.b):
                other = relay.b if relay.a == full else relay.a
                places[f"IP address of the host as {other} sees it"] = _side_of(relay, full)
        found += [endpoint_canary("client_place", what, each) for what, each in places.items()]
        return tuple(found)

    async def look(self, canaries: Sequence[Canary]) -> tuple[Looked, ...]:
        """Return what was found at each party, by now and whenever this was called before.

        Raises:
            EiError: a node does not answer.
        """
        for party, seat in self.seats.items():
            now = await self._look(party, seat, canaries)
            before = self._found.get(party)
            self._found[party] = now if before is None else joined(before, now)
        return tuple(self._found.values())

    async def _look(self, party: Party, seat: Seat, canaries: Sequence[Canary]) -> Looked:
        match seat:
            case Link():
                return await asyncio.to_thread(self._look_at_link, party, canaries)
            case Program(pids, folders):
                return await asyncio.to_thread(look_at_processes, party, pids, folders, canaries)
            case Node(name):
                folder = self.lab.folder(name)
                pids = await self.lab.processes(name)
                # Memory first: to be asked brings together what lay apart.
                seen = await asyncio.to_thread(look_at_processes, party, pids, (folder,), canaries)
                answers = [place async for place in self._answers(name, canaries)]
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
                        self._filter(seat),
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

    def _look_at_link(self, party: Party, canaries: Sequence[Canary]) -> Looked:
        if party in self._refused:
            return Looked(party, (), (("the link", self._refused[party]),))
        sniffer = self._sniffers[party]
        lost = sniffer.lost()
        flows = "".join(f"{a}:{b} > {c}:{d}\n" for a, b, c, d in sorted(sniffer.flows)).encode()
        path = self._folder / f"{party}.pcap"
        places = (
            _searched("capture", f"{sniffer.packets} packets", read_file(path), canaries),
            _searched("capture", "addresses of its packets", [(0, flows)], canaries),
        )
        missing = (("the link", f"{lost} packets were lost"),) if lost else ()
        if not sniffer.packets:
            missing = (("the link", "nothing went by it"),)
        return Looked(party, places, missing)

    # -- nodes ------------------------------------------------------------------------------------

    async def _answers(self, name: str, canaries: Sequence[Canary]) -> AsyncGenerator[Place]:
        for verb in ANSWERS:
            answer = msgspec.json.encode(await self.lab.ask_node(name, verb, {}))
            yield _searched("admin", verb, [(0, answer)], canaries)
        observed = Observed(
            await self.lab.running_status(name),
            unix_s=self.lab.unix_s(),
            version=metadata.version("extensible-internet"),
        )
        yield _searched("metrics", "/metrics", [(0, metrics_text(observed).encode())], canaries)
        for file, content in await asyncio.to_thread(bugreport_of, self.lab.folder(name)):
            yield _searched("bugreport", file, [(0, content)], canaries)


@asynccontextmanager
async def watching(lab: ProcessLab, seats: Mapping[Party, Seat]) -> AsyncGenerator[Witness]:
    """Watch the parties of a lab while the block lasts.

    Args:
        lab: Of real nodes, open.
        seats: Where each party sits.
    """
    with tempfile.TemporaryDirectory(prefix="ei-witness-") as folder:
        witness = Witness(lab, seats, Path(folder))
        try:
            await witness.open()
            yield witness
        finally:
            witness.close()


def look_at_processes(
    party: Party, pids: Iterable[int], folders: Iterable[Path], canaries: Sequence[Canary]
) -> Looked:
    """Return what processes hold and what is in their folders, by now.

    Args:
        party: Whose they are.
    """
    places: list[Place] = []
    missing: list[tuple[str, str]] = []
    unread = 0
    for pid in pids:
        try:
            for region, chunks in read_memory(pid):
                name = f"{pid} {region.name} {region.start:x}"
                place = _searched("memory", name, chunks, canaries)
                places.append(place)
                unread += region.end - region.start - place.size_bytes
        except ProcessLookupError:
            continue
        except DeniedError as error:
            missing.append((f"memory of {pid}", f"{error}; {error.remedy}"))
        for kind, words in words_of(pid).items():
            places.append(_searched(_kind(kind), str(pid), [(0, words)], canaries))
    places += [
        _searched("file", str(path), read_file(path), canaries) for path in files_below(folders)
    ]
    not_given = (f"{unread:,} B of memory", "given back meanwhile, or without anything behind it")
    excluded = (EXCLUDED_LAB, EXCLUDED_MEMORY, EXCLUDED_KERNEL, *([not_given] if unread else []))
    return Looked(party, tuple(places), tuple(missing), excluded)


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


def _kind(word: str) -> Kind:
    return "environment" if word == "environment" else "command line"


def _searched(
    kind: Kind, name: str, chunks: Iterable[tuple[int, bytes]], canaries: Sequence[Canary]
) -> Place:
    counted = _Counted(chunks)
    hits = tuple(find_canaries(canaries, counted))
    return Place(kind, name, counted.size_bytes, hits)


class _Counted:
    """Chunks on their way, and how much they were."""

    def __init__(self, chunks: Iterable[tuple[int, bytes]]) -> None:
        self._chunks = chunks
        self.size_bytes = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for offset, chunk in self._chunks:
            self.size_bytes += len(chunk)
            yield offset, chunk
