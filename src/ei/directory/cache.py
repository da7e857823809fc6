"""What was learned from directories, for as long as it counts and is used."""

from collections import OrderedDict
from dataclasses import dataclass

from ei.directory.deadlines import Deadlines
from ei.directory.messages import Query
from ei.directory.statements import Statement
from ei.sdk.packets import Address

MAX_ENTRIES = 65_536


@dataclass(slots=True)
class Entry:
    """An answer, and how well it is kept.

    Attributes:
        fresh_until_s: When a directory must be asked again.
        leased_by: The directory that tells of changes until then; `None` when none does.
        used_s: When it was needed last.
        failures: How often in a row nobody could be asked again.
    """

    statement: Statement
    fresh_until_s: float
    leased_by: Address | None
    used_s: float
    failures: int = 0


class Cache:
    """Entries by query; of too many the one that was not used for the longest makes room.

    Attributes:
        checks: When entries are to be looked at.
    """

    def __init__(self, *, limit: int = MAX_ENTRIES) -> None:
        self._limit = limit
        self._entries: OrderedDict[Query, Entry] = OrderedDict()
        self.checks: Deadlines[Query] = Deadlines()

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Cache {len(self)}/{self._limit} answers>"

    def look(self, query: Query) -> Entry | None:
        """Return an entry, whether it still counts or not."""
        return self._entries.get(query)

    def use(self, query: Query, *, now_s: float) -> Entry | None:
        """Return an entry whose statement counts, and note that it was needed."""
        entry = self._entries.get(query)
        if entry is None or entry.statement.expires_s <= now_s:
            return None
        entry.used_s = now_s
        self._entries.move_to_end(query)
        return entry

    def put(self, query: Query, entry: Entry) -> list[tuple[Query, Entry]]:
        """Keep an entry; return those that had to make room."""
        self._entries[query] = entry
        self._entries.move_to_end(query)
        removed: list[tuple[Query, Entry]] = []
        while len(self._entries) > self._limit:
            oldest, evicted = self._entries.popitem(last=False)
            self.checks.clear(oldest)
            removed.append((oldest, evicted))
        return removed

    def remove(self, query: Query) -> None:
        """Forget an entry; no effect when there is none."""
        _ = self._entries.pop(query, None)
        self.checks.clear(query)

    def items(self) -> list[tuple[Query, Entry]]:
        """Return all entries."""
        return list(self._entries.items())

    def check_at(self, query: Query, at_s: float) -> None:
        """Have `take_due` return a query then."""
        self.checks.set(query, at_s)

    def take_due(self, now_s: float) -> Query | None:
        """Return a query whose entry is to be looked at."""
        return self.checks.take_due(now_s)
