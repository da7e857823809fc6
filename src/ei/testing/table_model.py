"""The bounded table of decisions, said as simply as possible: dictionaries, oldest first."""

from dataclasses import dataclass

from ei.sdk.decisions import Discard, Forward, Hop, Pass
from ei.sdk.packets import NOWHERE, Address
from ei.testing.stage_model import StageUse


@dataclass(frozen=True, slots=True)
class Question:
    """What a packet asks of the cache.

    Attributes:
        service: Number that the source named.
        ingress: Peer whose pipe delivered it.
        source: Whom it speaks for.
        connection: Within (source, service).
        metadata: Uncut.
        egress: Of a receiver's guards: the hop they guard; else `NOWHERE`.
    """

    service: int
    ingress: Address
    source: Address
    connection: int
    metadata: bytes
    egress: Address = NOWHERE


@dataclass(frozen=True, slots=True)
class Key:
    """Under what an entry is kept.

    Attributes:
        service: Whose own answer it is; `None` for the answer of a whole chain.
        generation: Of the chain's configuration.
        question: Its metadata cut to what the answer depends on.
    """

    service: int | None
    generation: int
    question: Question


@dataclass(frozen=True, slots=True)
class Part:
    """One service's answer in an entry: what revokes it.

    Attributes:
        service: Who answered.
        tag_slot: Of its tag.
        key_slot: Of its key, if it was joined with others; a newer answer then unjoins it.
    """

    service: int
    tag_slot: int
    key_slot: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision, of one service or joined.

    Attributes:
        action: After the stages.
        guarded: Which of its hops have guards that must be asked first.
        stages: In order.
        parts: All of them must hold.
        expires_ns: When it is forgotten.
        revision: Nothing that revokes it may be newer.
    """

    action: Forward | Pass | Discard
    guarded: tuple[bool, ...]
    stages: tuple[StageUse, ...]
    parts: tuple[Part, ...]
    expires_ns: int
    revision: int

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Its copies."""
        return self.action.hops if isinstance(self.action, Forward) else ()


class TableModel:
    """At most `entries` entries; every ingress pipe has a share."""

    def __init__(self, *, entries: int) -> None:
        self._limit = entries
        self._shares: dict[Address, dict[Key, Entry]] = {}

    def __len__(self) -> int:
        """Entries kept, valid or not."""
        return sum(len(share) for share in self._shares.values())

    def get(self, key: Key) -> Entry | None:
        """The entry of `key`, valid or not."""
        return self._shares.get(key.question.ingress, {}).get(key)

    def insert(self, key: Key, entry: Entry) -> None:
        """Keep an entry at the young end of its holder's share, replacing that of the same key."""
        if self._limit == 0:
            return
        self.forget(key)
        holder = key.question.ingress
        if len(self) >= self._limit:
            self.forget(self._victim(holder))
        self._shares.setdefault(holder, {})[key] = entry

    def forget(self, key: Key) -> None:
        """Remove the entry of `key`; no effect when absent."""
        share = self._shares.get(key.question.ingress, {})
        if share.pop(key, None) is not None and not share:
            del self._shares[key.question.ingress]

    def _victim(self, newcomer: Address) -> Key:
        """Return the oldest entry of the heaviest holder.

        That is the newcomer itself unless somebody holds more; of several others it is the one with
        the largest address.
        """
        weights = {holder: len(share) for holder, share in self._shares.items()}
        heaviest = max(weights, key=lambda holder: (weights[holder], holder))
        if weights.get(newcomer, 0) == weights[heaviest]:
            heaviest = newcomer
        return next(iter(self._shares[heaviest]))
