"""The two stores that a service is given, and a typed view of either."""

from collections.abc import Callable, Hashable, Iterator
from functools import cache
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec

T = TypeVar("T")


class Store(Protocol):
    """Bytes to bytes. What a handler writes it reads back at once; others see it when it is done.

    Keys are up to 1_024 bytes. Writing past the bytes that the manifest grants, or what is not
    bytes, raises `ServiceError`. A time to live runs on the clock that the store survives with:
    `now_s` for the ephemeral, `unix_s` for the stable one.
    """

    def get(self, key: bytes) -> bytes | None:
        """Return the value, or `None` when it is absent or expired."""
        ...

    def put(self, key: bytes, value: bytes, *, ttl_s: float | None = None) -> None:
        """Keep `value`, to expire `ttl_s` seconds after this event (above 0), or never."""
        ...

    def delete(self, key: bytes) -> None:
        """Forget `key`; no effect when it is absent."""
        ...

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose key starts with `prefix`, in key order.

        Keys are those of the first step, values those of each step: a handler may write
        while it scans.
        """
        ...

    def compare_and_put(
        self, key: bytes, value: bytes, *, expected: bytes | None, ttl_s: float | None = None
    ) -> bool:
        """Keep `value` if the store has `expected` (`None`: nothing); say whether it did."""
        ...


class Table(Generic[T]):
    """A typed corner of a store: keys get a prefix, values a msgpack encoding.

    Args:
        store: `ctx.stable` or `ctx.ephemeral`.
        name: Of the corner, unique within the service; without a slash.
        of: Type of the values.
    """

    __slots__ = ("_decode", "_prefix", "_store")

    def __init__(self, store: Store, name: str, of: type[T]) -> None:
        self._store = store
        self._prefix: bytes
        self._decode: Callable[[bytes], T]
        self._prefix, self._decode = _form(name, cast("Hashable", of))

    def get(self, key: bytes) -> T | None:
        """Return the value, or `None` when there is none."""
        kept = self._store.get(self._prefix + key)
        return None if kept is None else self._decode(kept)

    def put(self, key: bytes, value: T, *, ttl_s: float | None = None) -> None:
        """Keep `value`, to expire `ttl_s` seconds after this event, or never."""
        self._store.put(self._prefix + key, _encode(value), ttl_s=ttl_s)

    def delete(self, key: bytes) -> None:
        """Forget `key`; no effect when it is absent."""
        self._store.delete(self._prefix + key)

    def scan(self, prefix: bytes = b"") -> Iterator[tuple[bytes, T]]:
        """Yield (key, value) in key order, for keys that start with `prefix`."""
        for key, kept in self._store.scan(self._prefix + prefix):
            yield key.removeprefix(self._prefix), self._decode(kept)

    def compare_and_put(
        self, key: bytes, value: T, *, expected: T | None, ttl_s: float | None = None
    ) -> bool:
        """Keep `value` if the table has `expected` (`None`: nothing); say whether it did."""
        return self._store.compare_and_put(
            self._prefix + key,
            _encode(value),
            expected=None if expected is None else _encode(expected),
            ttl_s=ttl_s,
        )


class Tables:
    """Tables of one store that belong together, each declared once, and made when it is used.

        class Visits(Tables):
            _counts = Corner("counts", int)

            def count(self, host: Address) -> int:
                return self._counts.get(host) or 0

    Args:
        store: `ctx.stable` or `ctx.ephemeral`.
        prefix: Of the names of all of them, for classes that are there more than once.
    """

    __slots__ = ("prefix", "store")

    def __init__(self, store: Store, *, prefix: str = "") -> None:
        self.store = store
        self.prefix = prefix


class Corner(Generic[T]):
    """Declares a table of a class of `Tables`; its arguments are those of `Table`."""

    __slots__ = ("_name", "_of")

    def __init__(self, name: str, of: type[T]) -> None:
        self._name = name
        self._of = of

    def __get__(self, tables: Tables, _: object) -> Table[T]:
        """Return the table, in the store of `tables`."""
        return Table(tables.store, tables.prefix + self._name, self._of)


_encode = msgspec.msgpack.Encoder().encode


@cache
def _form(name: str, of: Hashable) -> tuple[bytes, Callable[[bytes], Any]]:
    """Return prefix and decoder; tables are made anew for each event, these need not be."""
    return name.encode() + b"/", msgspec.msgpack.Decoder(of).decode
