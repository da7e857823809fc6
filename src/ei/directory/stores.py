"""Where a directory keeps attachments, so that it knows them after a restart."""

from collections.abc import Iterable
from typing import Protocol

from ei.sdk.packets import Address


class Store(Protocol):
    """Envelopes of attachments by host. After `commit` they are there whatever ends the node."""

    def load(self) -> Iterable[bytes]:
        """Return all envelopes, in any order."""
        ...

    def keep(self, host: Address, envelope: bytes) -> None:
        """Keep an envelope in the place of an earlier one of the host, from the next commit on.

        Raises:
            LimitError: there is no room for it.
        """
        ...

    def forget(self, host: Address) -> None:
        """Forget the envelope of a host, from the next commit on; no effect when there is none."""
        ...

    def commit(self) -> None:
        """Write down what was kept and forgotten since the last time, all of it at once.

        Raises:
            LimitError: it cannot be; all is as it was then.
        """
        ...


class MemoryStore:
    """A `Store` that ends with its process; `load` of one is what another can begin with."""

    def __init__(self, envelopes: Iterable[bytes] = ()) -> None:
        self._first = tuple(envelopes)
        self._kept: dict[Address, bytes] = {}

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._first) + len(self._kept)} attachments>"

    def load(self) -> Iterable[bytes]:
        return (*self._first, *self._kept.values())

    def keep(self, host: Address, envelope: bytes) -> None:
        self._kept[host] = envelope

    def forget(self, host: Address) -> None:
        _ = self._kept.pop(host, None)

    def commit(self) -> None:
        """Nothing waits here."""
