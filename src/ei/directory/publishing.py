"""Answers to nodes, and to those who asked for it every change of them."""

from collections.abc import Callable, Container

import msgspec

from ei.directory.messages import Answer, Message, Query
from ei.directory.statements import Statement
from ei.directory.subscriptions import Subscriptions, SubscriptionStatistics
from ei.sdk.packets import Address

MAX_LEASE_S = 300
UNLEASED_S = 1
"""How long an answer may be kept of which nobody tells the changes."""


class PublishingStatistics(msgspec.Struct, frozen=True):
    """Answers to questions, changes that were told, and who is to be told."""

    answered: int
    told: int
    subscriptions: SubscriptionStatistics


class Publishing:
    """What a directory says to nodes.

    Args:
        send: Takes what is to be sent to whom.
        limit_of_record: Subscribers of one query.

    Attributes:
        deadlines: When `expire` has something to do.
    """

    def __init__(self, *, send: Callable[[Address, Message], None], limit_of_record: int) -> None:
        self._send = send
        self._subscriptions = Subscriptions(limit_of_record=limit_of_record)
        self.deadlines = self._subscriptions.deadlines
        self._missed: dict[Address, set[Query]] = {}
        self._answered = 0
        self._told = 0

    def __repr__(self) -> str:
        return f"<Publishing {self._subscriptions!r}>"

    def answer(
        self, node: Address, query: Query, statement: Statement, lease_s: int, *, now_s: float
    ) -> None:
        """Answer a node, and tell it of changes for as long as it wants, at most 300 s."""
        self._answered += 1
        left_s = min(statement.expires_s - now_s, MAX_LEASE_S)
        lease_s = min(lease_s, max(UNLEASED_S, int(left_s)))
        is_leased = lease_s > 0 and self._subscriptions.add(query, node, until_s=now_s + lease_s)
        lifetime_s = lease_s if is_leased else UNLEASED_S
        self._send(node, Answer(query, statement.envelopes, lifetime_s, is_leased))

    def tell(
        self,
        query: Query,
        statement: Statement,
        *,
        now_s: float,
        but: Container[Address] = (),
        only: Address | None = None,
    ) -> None:
        """Tell all who follow `query` that this is so now; those that are down once they are up.

        Args:
            but: They know already.
            only: Tell nobody else.
        """
        for node, until_s in self._subscriptions.of(query).items():
            if node in but or only not in (None, node):
                continue
            if node in self._missed:
                self._missed[node].add(query)
                continue
            self._told += 1
            lifetime_s = max(1, min(int(until_s - now_s), int(statement.expires_s - now_s)))
            self._send(node, Answer(query, statement.envelopes, lifetime_s, is_leased=True))

    def is_followed(self, query: Query) -> bool:
        """Return whether anybody is to be told of changes."""
        return query in self._subscriptions

    def queries(self) -> list[Query]:
        """Return what anybody is to be told of."""
        return self._subscriptions.queries()

    def release(self, query: Query, node: Address) -> None:
        """Tell a node no more."""
        self._subscriptions.remove(query, node)

    def peer_down(self, node: Address) -> None:
        """Keep for a node what changes while it is down; no longer than its leases run."""
        _ = self._missed.setdefault(node, set())

    def take_missed(self, node: Address) -> set[Query]:
        """Return what changed while a node was down: it is up."""
        return self._missed.pop(node, set())

    def expire(self, now_s: float) -> None:
        """End the leases whose time is over."""
        self._subscriptions.expire(now_s)

    def statistics(self) -> PublishingStatistics:
        """Return what was said, and to how many it is to be."""
        return PublishingStatistics(self._answered, self._told, self._subscriptions.statistics())
