"""What this node itself wants to know: answers for it, and what changed since it asked."""

from collections import OrderedDict
from dataclasses import dataclass

from ei.directory.messages import Query
from ei.directory.resolver import USE_S
from ei.directory.statements import Statement
from ei.records.kinds import AnyRecord

MAX_USES = 65_536


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is known about a query.

    Attributes:
        record: `None` when there is none, or no answer.
        reason: Of `ei.directory.reasons`, when nobody could answer; empty when it is certain.
        envelopes: What was signed: what the record rests on, and it, or that there is none. Empty
            for a node, and for what nobody could answer.
    """

    query: Query
    record: AnyRecord | None
    reason: str = ""
    envelopes: tuple[bytes, ...] = ()


def resolved(query: Query, statement: Statement) -> Resolution:
    """Return what a statement says about a query."""
    return Resolution(query, statement.record, "", statement.envelopes)


class Uses:
    """Queries by when they were needed last, and answers that were not taken yet."""

    def __init__(self) -> None:
        self._used_s: OrderedDict[Query, float] = OrderedDict()
        self._answers: dict[Query, Resolution] = {}

    def __repr__(self) -> str:
        return f"<Uses of {len(self._used_s)}/{MAX_USES} answers>"

    def note(self, query: Query, *, now_s: float) -> None:
        """Note that a query is needed."""
        self._used_s[query] = now_s
        self._used_s.move_to_end(query)
        if len(self._used_s) > MAX_USES:
            oldest, _ = self._used_s.popitem(last=False)
            _ = self._answers.pop(oldest, None)

    def queries(self) -> list[Query]:
        """Return what was needed lately."""
        return list(self._used_s)

    def tell(self, resolution: Resolution, *, now_s: float) -> None:
        """Keep an answer for `take`, if its query was needed within the last minute."""
        if self._used_s.get(resolution.query, -USE_S) > now_s - USE_S:
            self._answers[resolution.query] = resolution

    def take(self) -> list[Resolution]:
        """Return the answers since the last call, of each query the latest."""
        answers, self._answers = self._answers, {}
        return list(answers.values())
