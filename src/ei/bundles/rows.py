"""What a node's datapath is told of a bundle: rows of services, by number."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ei.bundles.bundle import Bundle, Part
from ei.bundles.expanding import MAX_CHAIN, Chain
from ei.bundles.ranges import is_in_range
from ei.errors import ConfigError
from ei.sdk.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Rows:
    """The chain of a bundle at one node.

    Attributes:
        first: Services that a packet from a host visits; the last one sends.
        later: Those that a packet from a node visits.
        to_nodes, to_hosts: Then, before the pipe to a node, or to a host.
        visited, behind: Which of them are the bundle's own, up to the one that sends and behind it;
            the others are the operator's.
        parts: Of the bundle and of those within it, each with the bundle that names it.
    """

    bundle: Bundle
    first: tuple[int, ...]
    later: tuple[int, ...]
    to_nodes: tuple[int, ...]
    to_hosts: tuple[int, ...]
    visited: frozenset[int]
    behind: frozenset[int]
    parts: tuple[tuple[Bundle, Part], ...] = ()

    @property
    def sender(self) -> int:
        """The service that sends."""
        return self.first[-1]

    @property
    def inner(self) -> dict[str, Bundle]:
        """The bundles within it, by name."""
        return {each.name: each for each, _ in self.parts if each is not self.bundle}

    def refuser_of(self, manifest: Manifest) -> tuple[Bundle, Part] | None:
        """Return the part that does not take this version of a service, and who names it."""
        for bundle, part in self.parts:
            if part.name == manifest.name and not is_in_range(manifest.version, part.version):
                return bundle, part
        return None


def rows_of(
    bundle: Bundle,
    chain: Chain,
    manifests: Mapping[str, Manifest],
    *,
    chains: Mapping[str, tuple[str, ...]],
) -> Rows:
    """Return the rows of a bundle at a node.

    Args:
        manifests: Of the services that run there, by name.
        chains: What the operator interposes there: before a service also where a bundle names it.

    Raises:
        ConfigError: a service of it does not run there, or the operator's make a row too long.
    """
    for link in chain.links:
        if link.name not in manifests:
            raise ConfigError(
                f"bundles: {bundle.name} needs {link.name}, which does not run here",
                remedy=f"Add {link.name!r} to services.",
            )
    first, later = (
        _interposed([link.name for link in chain.visits_at(is_first=is_first)], chains)
        for is_first in (True, False)
    )
    for row in (first, later):
        if len(row) > MAX_CHAIN:
            raise ConfigError(
                f"bundles: {bundle.name} and what is interposed are {len(row)} services,"
                f" {MAX_CHAIN} allowed: {', '.join(row)}"
            )

    def numbers(names: Iterable[str]) -> tuple[int, ...]:
        return tuple(manifests[name].id for name in names)

    return Rows(
        bundle,
        first=numbers(first),
        later=numbers(later),
        to_nodes=numbers(link.name for link in chain.behind_to(is_host=False)),
        to_hosts=numbers(link.name for link in chain.behind_to(is_host=True)),
        visited=frozenset(numbers(link.name for link in chain.visits)),
        behind=frozenset(numbers(link.name for link in chain.behind)),
        parts=chain.parts,
    )


def _interposed(names: list[str], chains: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the services with those that the operator wants before any of them, each once."""
    before = [each for name in names for each in chains.get(name, ())[:-1]]
    return list(dict.fromkeys([*(each for each in before if each != names[-1]), *names]))
