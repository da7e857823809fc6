"""Who carries whose traffic: customer, peer, provider, and what follows from it (Gao and Rexford).

    customer ──▶ provider    routes of customers are announced to everybody,
    peer ◀────▶ peer         all others to customers alone

So a path goes up from customer to provider, at most once across to a peer, and then only down: a
valley would have somebody carry what nobody pays for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import Literal

from ei.routing.atlas import Atlas

Word = Literal["customer", "peer", "provider"]


class Relation(IntEnum):
    """What a neighbour is to us; the smaller, the rather its routes are used."""

    CUSTOMER = 0
    PEER = 1
    PROVIDER = 2

    @property
    def word(self) -> Word:
        """As the configuration says it."""
        return WORDS[self]


WORDS: tuple[Word, ...] = ("customer", "peer", "provider")


@dataclass(frozen=True, slots=True)
class Policy:
    """The neighbours that this node may have pipes with, by the names of their domains."""

    neighbours: Mapping[str, Relation] = field(default_factory=dict[str, Relation])

    def by_number(self, atlas: Atlas) -> dict[int, Relation]:
        """Return the neighbours whose domains are known."""
        numbers = ((atlas.number(name), relation) for name, relation in self.neighbours.items())
        return {number: relation for number, relation in numbers if number is not None}


def read_policy(neighbours: Mapping[str, Word]) -> Policy:
    """Return the policy that a configuration's table of neighbours means."""
    return Policy({name: Relation(WORDS.index(word)) for name, word in neighbours.items()})


def may_announce(learned: Relation | None, to: Relation) -> bool:
    """Return whether a route is announced to a neighbour.

    Args:
        learned: What the neighbour is from whom the route is; `None` for the domain's own.
        to: What the neighbour is to whom it would be announced.
    """
    return learned in (None, Relation.CUSTOMER) or to is Relation.CUSTOMER


def is_mismatch(own: int, neighbour: int, relation: Relation, atlas: Atlas) -> bool:
    """Return whether the domains' own records contradict what a configuration says of them."""
    is_up, is_down = atlas.is_provider(neighbour, of=own), atlas.is_provider(own, of=neighbour)
    match relation:
        case Relation.CUSTOMER:
            return not is_down
        case Relation.PEER:
            return is_up or is_down
        case Relation.PROVIDER:
            return not is_up


def find_valley(walk: Sequence[int], atlas: Atlas) -> tuple[int, int] | None:
    """Return the first two neighbours on a walk whose step leaves the rule; `None` for none.

    Args:
        walk: In the order in which the announcement went, the origin first.
    """
    is_rising = True
    for domain, following in pairwise(walk):
        if is_rising and atlas.is_provider(following, of=domain):
            continue
        if not is_rising and not atlas.is_provider(domain, of=following):
            return domain, following
        is_rising = False
    return None
