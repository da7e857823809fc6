"""From a bundle to the services of its chain: bundles in it are expanded, the one that sends found.

    services of a bundle:   filter, small                  small: compression, delivery, compression
    visits:                 filter, compression, delivery  ▶ pipe
    before each pipe to another node:  compression

What runs at one node alone, `at` says: the first, or the last.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ei.bundles.bundle import At, Bundle, Part
from ei.bundles.faults import Fault, Lines
from ei.bundles.ranges import is_in_range
from ei.sdk.composition import Port
from ei.sdk.manifest import Manifest

MAX_CHAIN = 8
"""Services before the pipe, and behind the one that sends; the datapath has no more."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a bundle may be made of, by name."""

    services: Mapping[str, Manifest]
    bundles: Mapping[str, Bundle]


@dataclass(frozen=True, slots=True)
class Link:
    """One service of a chain.

    Attributes:
        via: The bundles that it came by, the outermost first.
        line: Of the outermost bundle's file.
        at: At which nodes it runs.
        is_behind: It stands behind the service that sends.
    """

    manifest: Manifest
    via: tuple[str, ...]
    line: int
    at: At = "every"
    is_behind: bool = False

    @property
    def name(self) -> str:
        """Of the service."""
        return self.manifest.name

    @property
    def port(self) -> Port | None:
        """What it takes and gives at its place; `None` where it cannot stand there."""
        return self.manifest.before_pipe if self.is_behind else self.manifest.in_chain


@dataclass(frozen=True, slots=True)
class Chain:
    """The services of a bundle, in the order of visits.

    Attributes:
        visits: What a packet visits; the last one sends.
        behind: What it visits then, before a pipe.
        parts: Of the bundle and of those within it; see `parts_of`.
    """

    visits: tuple[Link, ...]
    behind: tuple[Link, ...] = ()
    parts: tuple[tuple[Bundle, Part], ...] = ()

    def visits_at(self, *, is_first: bool) -> tuple[Link, ...]:
        """What a packet visits at the first node, or at a later one."""
        return tuple(link for link in self.visits if is_first or link.at != "first")

    def behind_to(self, *, is_host: bool) -> tuple[Link, ...]:
        """What it visits before the pipe to a host, or to another node."""
        return tuple(link for link in self.behind if (link.at == "last") == is_host)

    @property
    def links(self) -> tuple[Link, ...]:
        """All of them."""
        return (*self.visits, *self.behind)


@dataclass(slots=True)
class Expansion:
    """What a bundle comes to.

    Attributes:
        chain: `None` where that cannot be said.
        faults: What is wrong with it as far as that: of the datapath's rules, not yet of kinds.
    """

    chain: Chain | None = None
    faults: list[Fault] = field(default_factory=list[Fault])


def expand(bundle: Bundle, known: Known, lines: Lines) -> Expansion:
    """Return the chain of a bundle, and why it is none.

    Args:
        lines: Of its file.
    """
    expansion = Expansion()
    links: list[Link] = []
    for place, part in enumerate(bundle.services):
        line = lines.of_service(place, part.name)
        for found in _links_of(part, known, via=(bundle.name,), line=line):
            if isinstance(found, Fault):
                expansion.faults.append(found)
            else:
                links.append(found)
            if len(links) > 2 * MAX_CHAIN:  # bundles of bundles of bundles
                said = f"more than {2 * MAX_CHAIN} services"
                expansion.faults = [Fault("too_long", line, said, "Leave some out.")]
                return expansion
    if not expansion.faults:
        expansion.faults += _faults_of(links, lines)
    if not expansion.faults:
        at = next(at for at, link in enumerate(links) if not link.manifest.hands_on)
        behind = (replace(link, is_behind=True) for link in links[at + 1 :])
        parts = tuple(parts_of(bundle, known))
        expansion.chain = Chain(tuple(links[: at + 1]), tuple(behind), parts)
        expansion.faults += _faults_of_places(expansion.chain)
    return expansion


def parts_of(bundle: Bundle, known: Known) -> Iterator[tuple[Bundle, Part]]:
    """Yield the parts of a bundle that has no loop, and of those within it, with who names each."""
    for part in bundle.services:
        yield bundle, part
        inner = known.bundles.get(part.name)
        if inner is not None and part.name not in known.services:
            yield from parts_of(inner, known)


def _links_of(
    part: Part, known: Known, *, via: tuple[str, ...], line: int
) -> Iterator[Link | Fault]:
    if part.name in via:
        way = " → ".join((*via, part.name))
        said = f"{part.name} would contain itself: {way}"
        yield Fault("loop", line, said, f"Take {part.name} out of {via[-1]}.")
        return
    service, inner = known.services.get(part.name), known.bundles.get(part.name)
    found = inner if service is None else service
    if found is None:
        names = ", ".join(sorted({*known.services, *known.bundles})) or "none"
        said = f"no service or bundle is called {part.name!r}; there are: {names}"
        fix = "Name the folder that it is in: ei bundle check FOLDER --services FOLDER"
        yield Fault("unknown_service", line, said, fix)
        return
    if not is_in_range(found.version, part.version):
        said = f"{part.name} is {found.version} here, {part.version} allowed"
        fix = f"Get a release in that range, or allow {found.version}."
        yield Fault("wrong_version", line, said, fix)
    if isinstance(found, Manifest):
        yield Link(found, via, line, part.at)
        return
    if part.at != "every":
        said = f"{part.name} is a bundle, whose services say themselves at which nodes they run"
        yield Fault("misplaced", line, said, "Leave at out.")
    for each in found.services:
        yield from _links_of(each, known, via=(*via, part.name), line=line)


def _faults_of(links: list[Link], lines: Lines) -> Iterator[Fault]:
    """Yield what the datapath would refuse, or would never come to."""
    senders = [link for link in links if not link.manifest.hands_on]
    if not senders:
        said = "no service of it sends: each hands on to the next, and behind the last is none"
        fix = "End it with a service that sends, such as delivery."
        yield Fault("no_sender", lines.of_key("services"), said, fix)
        return
    first, *others = senders
    for other in others:
        said = f"{other.name} would never get a packet: {first.name} before it hands none on"
        fix = f"Keep one of them. If {first.name} does hand on, its manifest says hands_on = true."
        yield Fault("two_senders", other.line, said, fix)
    at = links.index(first)
    for where, row in ((f"up to {first.name}", links[: at + 1]), ("behind it", links[at + 1 :])):
        yield from _faults_of_row(row, where)


def _faults_of_row(row: list[Link], where: str) -> Iterator[Fault]:
    if len(row) > MAX_CHAIN:
        said = f"{len(row)} services {where}, {MAX_CHAIN} allowed"
        yield Fault("too_long", row[MAX_CHAIN].line, said, "Leave some out.")
    seen: set[str] = set()
    for link in row:
        if link.name in seen:
            said = f"{link.name} twice {where}: a packet visits a service once"
            yield Fault("twice", link.line, said, "Name it once.")
        seen.add(link.name)


def _faults_of_places(chain: Chain) -> Iterator[Fault]:
    """Yield who cannot stand where it does."""
    sender = chain.visits[-1]
    for link in chain.visits:
        if link.at == "last":
            said = (
                f"{link.name} is to run at the last node, which {sender.name} first has to choose"
            )
            yield Fault("misplaced", link.line, said, f"Put it behind {sender.name}.")
    if sender.at == "first":
        said = f"{sender.name} sends, and so runs at every node"
        yield Fault("misplaced", sender.line, said, "Leave at out.")
    for link in chain.behind:
        if link.at == "first":
            said = f"{link.name} is to run at the first node, where it stands behind {sender.name}"
            yield Fault("misplaced", link.line, said, f"Put it before {sender.name}.")
        if link.port is None:
            said = f"{link.name} cannot stand before a pipe: its manifest has no [before_pipe]"
            yield Fault("misplaced", link.line, said, f"Put it before {sender.name}.")
