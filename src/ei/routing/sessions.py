"""The state of the talk with one peer about routes."""

from dataclasses import dataclass, field

from ei.routing.announcements import Offer
from ei.routing.outlets import Outlet
from ei.routing.policy import Relation
from ei.routing.table import Key
from ei.sdk.packets import Address

ASK_AGAIN_S = 2.0
ASK_AGAIN_MOST_S = 64.0
ASK_LEAST_S = 1.0
"""Between two questions for all; each has the peer tell its whole table."""


@dataclass(slots=True)
class Session:
    """One peer that is up: a node of a neighbour domain, or of the own one.

    Attributes:
        relation: What its domain is to this one; `None` inside.
        outlet: What it was told; by origin, inside by (origin, neighbour).
        expected: Number of its next message; `None` until it begins to tell all.
        stale: What it has told before and not again, while it tells all.
        offers: Of a node of the own domain; `None` until it has told them.
        ask_s: When it is asked for all; `None` while it tells.
        ask_after_s: How long until it is asked once more.
        asked_s: When it was asked last.
        started_s: When it last asked.
        round_trip_s: Of the pipe; a guess until it is known.
    """

    peer: Address
    domain: int
    relation: Relation | None
    outward: Outlet[int] = field(default_factory=Outlet[int])
    inward: Outlet[tuple[int, int]] = field(default_factory=Outlet[tuple[int, int]])
    expected: int | None = None
    stale: set[tuple[int, Key]] = field(default_factory=set[tuple[int, Key]])
    offers: tuple[Offer, ...] | None = None
    are_offers_told: bool = False
    ask_s: float | None = None
    ask_after_s: float = ASK_AGAIN_S
    asked_s: float = float("-inf")
    started_s: float = float("-inf")
    round_trip_s: float = 0.1

    @property
    def is_inside(self) -> bool:
        """Whether the peer is of the own domain."""
        return self.relation is None

    @property
    def outlet(self) -> Outlet[int] | Outlet[tuple[int, int]]:
        """The one of the two that is in use."""
        return self.inward if self.is_inside else self.outward

    def asked(self, *, now_s: float) -> None:
        """Note that it was asked; until it tells, it is asked again, ever more rarely."""
        self.asked_s = now_s
        self.ask_s = now_s + self.ask_after_s
        self.ask_after_s = min(2 * self.ask_after_s, ASK_AGAIN_MOST_S)

    def lost(self, *, now_s: float) -> None:
        """Note that something was missed: it is asked for all again, at most once a second."""
        self.expected = None
        self.ask_s = max(now_s, self.asked_s + ASK_LEAST_S)

    def expects(self, number: int, *, now_s: float) -> bool:
        """Note a message's number; return whether it is the next one."""
        if number == 0:
            self.expected = 1
            self.ask_s = None
            self.ask_after_s = ASK_AGAIN_S
            return True
        if self.expected is None:
            return False
        if number != self.expected:
            self.lost(now_s=now_s)
            return False
        self.expected += 1
        return True
