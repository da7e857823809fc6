"""Fills messages to one peer, from what there is to say of each thing that may have changed."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ei.routing.messages import MAX_ENTRIES
from ei.routing.policy import Relation

FULL_BYTES = 64_000
"""No message takes what would make it longer; the fields around the entries have 1_500 B left."""
ENTRY_BYTES = 24
"""What is written around an entry, at most."""

KeyT = TypeVar("KeyT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Saying:
    """What there is to say of one thing.

    Attributes:
        digest: Of two with the same digest nothing differs.
        write: Makes the bytes: a signature is made only for what is said.
        relation: What the neighbour is from whom it was heard; for nodes of the own domain.
    """

    digest: bytes
    write: Callable[[], bytes]
    relation: Relation = Relation.CUSTOMER


@dataclass(slots=True)
class Batch(Generic[KeyT]):
    """The entries of one message."""

    announced: list[tuple[Relation, bytes]] = field(default_factory=list[tuple[Relation, bytes]])
    withdrawn: list[KeyT] = field(default_factory=list[KeyT])
    size_bytes: int = 0


class BatchWriter(Generic[KeyT]):
    """The writer of an outlet; `batches` has what is to be sent, the first one always there.

    Args:
        say: Key to what there is to say of it to this peer.
        reserved_bytes: Of the first message, for what else it carries.
    """

    def __init__(self, say: Callable[[KeyT], Saying | None], *, reserved_bytes: int = 0) -> None:
        self._say = say
        self.batches: list[Batch[KeyT]] = [Batch(size_bytes=reserved_bytes)]

    def digest(self, key: KeyT, /) -> bytes | None:
        saying = self._say(key)
        return None if saying is None else saying.digest

    def announce(self, key: KeyT, /) -> int:
        saying = self._say(key)
        if saying is None:
            return self.withdraw(key)
        announced = saying.write()
        self._with_room(len(announced)).announced.append((saying.relation, announced))
        return len(announced)

    def withdraw(self, key: KeyT, /) -> int:
        self._with_room(0).withdrawn.append(key)
        return ENTRY_BYTES

    def _with_room(self, size_bytes: int) -> Batch[KeyT]:
        size_bytes += ENTRY_BYTES
        batch = self.batches[-1]
        entries = max(len(batch.announced), len(batch.withdrawn))
        if batch.size_bytes + size_bytes > FULL_BYTES or entries >= MAX_ENTRIES:
            batch = Batch[KeyT]()
            self.batches.append(batch)
        batch.size_bytes += size_bytes
        return batch
