"""Subjects, filters, and who wants what. Both are those of MQTT's topics.

A subject has levels, parted by `/`. In a filter `+` stands for one level and `#`, as the last one,
for any number of them, also none. A subject whose first level begins with `$` is met by no filter
that begins with a wildcard.
"""

from collections.abc import Iterator

from ei.sdk import Corner, Table, Tables

MAX_BYTES = 200
MAX_LEVELS = 32


def is_subject(text: str) -> bool:
    """Whether one can publish under it: 1 to 200 bytes of UTF-8, at most 32 levels, no wildcard."""
    return _is_short(text) and "+" not in text and "#" not in text


def is_filter(text: str) -> bool:
    """Whether one can subscribe to it: as a subject, but for wildcards that are whole levels."""
    *before, last = text.split("/")
    return (
        _is_short(text)
        and all(level == "+" or "+" not in level for level in (*before, last))
        and not any("#" in level for level in before)
        and (last == "#" or "#" not in last)
    )


def _is_short(text: str) -> bool:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return False
    return 1 <= length <= MAX_BYTES and text.count("/") < MAX_LEVELS and "\0" not in text


def does_match(wanted: str, subject: str) -> bool:
    """Whether a subject meets a filter."""
    if wanted == subject:
        return True
    levels, asked = subject.split("/"), wanted.split("/")
    if subject.startswith("$") and asked[0] in ("+", "#"):
        return False
    for position, level in enumerate(asked):
        if level == "#":
            return True
        if position == len(levels) or level not in ("+", levels[position]):
            return False
    return len(asked) == len(levels)


def size_bytes(wanted: str) -> int:
    """Return the bytes of a filter and of all its beginnings, as each is remembered."""
    size, total = -1, 0
    for level in wanted.encode().split(b"/"):
        size += 1 + len(level)
        total += size
    return total


class Wishes(Tables):
    """Who wants what, by filter. Finding those who want a subject takes a walk over its levels.

    Args:
        store: The ephemeral one.
        prefix: Of this set of wishes, unique within the service.
    """

    __slots__ = ()

    _filters = Corner("filters", int)
    _members = Corner("members", bool)
    _paths = Corner("paths", int)
    _who = Corner("who", bool)
    _counts = Corner("counts", int)
    _bytes = Corner("bytes", int)

    def add(self, wanted: str, who: bytes) -> bool:
        """Note a wish; return whether it is new."""
        if self.has(wanted, who):
            return False
        key = wanted.encode()
        self._members.put(key + _END + who, True)  # noqa: FBT003 a mark
        self._who.put(_owned(who) + key, True)  # noqa: FBT003 a mark
        if not _add(self._filters, key, 1):
            self._count(wanted, 1)
        _ = _add(self._counts, who, 1)
        _ = _add(self._bytes, who, size_bytes(wanted))
        return True

    def remove(self, wanted: str, who: bytes) -> bool:
        """Forget a wish; return whether there was one."""
        if not self.has(wanted, who):
            return False
        key = wanted.encode()
        self._members.delete(key + _END + who)
        self._who.delete(_owned(who) + key)
        if _add(self._filters, key, -1) == 1:
            self._count(wanted, -1)
        _ = _add(self._counts, who, -1)
        _ = _add(self._bytes, who, -size_bytes(wanted))
        return True

    def has(self, wanted: str, who: bytes) -> bool:
        """Whether somebody has this very filter."""
        return self._members.get(wanted.encode() + _END + who) is not None

    def who_wants(self, wanted: str) -> Iterator[bytes]:
        """Yield who has this very filter."""
        prefix = wanted.encode() + _END
        for key, _ in self._members.scan(prefix):
            yield key[len(prefix) :]

    def count_of(self, who: bytes) -> int:
        """Return how many filters somebody has."""
        return self._counts.get(who) or 0

    def bytes_of(self, who: bytes) -> int:
        """Return the bytes of the filters of somebody, and of all their beginnings."""
        return self._bytes.get(who) or 0

    def of(self, who: bytes) -> Iterator[str]:
        """Yield the filters of somebody, in order."""
        prefix = _owned(who)
        for key, _ in self._who.scan(prefix):
            yield key[len(prefix) :].decode()

    def filters(self) -> Iterator[str]:
        """Yield all filters, in order."""
        for key, _ in self._filters.scan():
            yield key.decode()

    def meeting(self, subject: str) -> list[bytes]:
        """Return who wants a subject, each once, in the order of their filters."""
        found: dict[bytes, None] = {}
        for wanted in self._met_by(subject):
            for who in self.who_wants(wanted):
                found[who] = None
        return list(found)

    # -- the parts ------------------------------------------------------------------------------

    def _met_by(self, subject: str) -> list[str]:
        met: list[str] = []
        paths = [""]
        is_hidden = subject.startswith("$")
        for level in subject.split("/"):
            further: list[str] = []
            for path in paths:
                if is_hidden:
                    candidates: tuple[str, ...] = (level,)
                else:
                    candidates = (level, "+")
                    met += [path + "#"] if self._is_path(path + "#") else []
                further += [path + each + "/" for each in candidates if self._is_path(path + each)]
            is_hidden, paths = False, further
        for path in paths:
            met.append(path[:-1])
            met += [path + "#"] if self._is_path(path + "#") else []
        return met

    def _is_path(self, path: str) -> bool:
        return self._paths.get(path.encode()) is not None

    def _count(self, wanted: str, amount: int) -> None:
        """Count the filters that begin so, for each of its beginnings."""
        end = -1
        while end < len(wanted):
            end = wanted.find("/", end + 1)
            end = len(wanted) if end < 0 else end
            _ = _add(self._paths, wanted[:end].encode(), amount)


def _add(counts: Table[int], key: bytes, amount: int) -> int:
    """Add to a count, which is not there when it is 0; return what it was."""
    before = counts.get(key) or 0
    if before + amount:
        counts.put(key, before + amount)
    else:
        counts.delete(key)
    return before


_END = b"\0"
"""Of a filter, in which it cannot be."""


def _owned(who: bytes) -> bytes:
    return len(who).to_bytes(1, "big") + who
