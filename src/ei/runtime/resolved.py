"""What the directory answered lately: `ctx.records`."""

from collections.abc import Iterator, Mapping

from ei.sdk import Query, Record

MAX_RECORDS = 4_096
FOUND_S = 10.0
"""How long an answer is kept: a host that moved is found within this and a decision's life."""

MISSING_S = 1.0
"""How long it is kept that there is no record, so that asking for it in a loop is cheap."""


class ResolvedRecords(Mapping[Query, Record | None]):
    """Answers by query, bounded, each for a while; the one answered longest ago makes room.

    Attributes:
        now_s: What is kept is held against this time.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self._answers: dict[Query, tuple[Record | None, float]] = {}

    def __getitem__(self, query: Query) -> Record | None:
        record, expires_s = self._answers[query]
        if expires_s <= self.now_s:
            raise KeyError(query)
        return record

    def __iter__(self) -> Iterator[Query]:
        return iter([q for q, (_, expires_s) in self._answers.items() if expires_s > self.now_s])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<ResolvedRecords {len(self._answers)}/{MAX_RECORDS}>"

    def add(self, query: Query, record: Record | None) -> None:
        """Keep the answer to `query`: a record, or that there is none."""
        _ = self._answers.pop(query, None)
        if len(self._answers) >= MAX_RECORDS:
            del self._answers[next(iter(self._answers))]
        lifetime_s = MISSING_S if record is None else FOUND_S
        self._answers[query] = (record, self.now_s + lifetime_s)
