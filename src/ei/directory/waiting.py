"""Who waits for the answer to a question that is under way."""

from dataclasses import dataclass, field

from ei.directory.messages import Query
from ei.sdk.packets import Address

MAX_HOSTS = 64
"""Finds that wait for one question."""


@dataclass(slots=True)
class Waiters:
    """Of one question.

    Attributes:
        is_local: This node itself.
        finds: Of hosts: who, and their numbers.
        nodes: With the lease that each wants, in seconds.
    """

    is_local: bool = False
    finds: list[tuple[Address, int]] = field(default_factory=list[tuple[Address, int]])
    nodes: dict[Address, int] = field(default_factory=dict[Address, int])


class Waiting:
    """By question: no more than the questions under way, each with a bounded number of hosts."""

    def __init__(self) -> None:
        self._waiters: dict[Query, Waiters] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def __repr__(self) -> str:
        return f"<Waiting for {len(self)} answers>"

    def add_local(self, query: Query) -> None:
        """Have this node wait."""
        self._of(query).is_local = True

    def add_find(self, query: Query, host: Address, number: int) -> bool:
        """Have a host wait; return whether there was room."""
        finds = self._of(query).finds
        if len(finds) >= MAX_HOSTS:
            return False
        finds.append((host, number))
        return True

    def add_node(self, query: Query, node: Address, lease_s: int) -> None:
        """Have a node wait."""
        self._of(query).nodes[node] = lease_s

    def take(self, query: Query) -> Waiters:
        """Return who waits, and forget them."""
        return self._waiters.pop(query, Waiters())

    def _of(self, query: Query) -> Waiters:
        return self._waiters.setdefault(query, Waiters())
