"""Where a directory keeps attachments, so that it knows them after a restart."""

from collections.abc import Iterable
from typing import Protocol

from ei.sdk.packets import Address


class Store(Protocol):
    """Envelopes of attachments by host. What is written is kept, whatever ends the node (law 3)."""

    def load(self) -> Iterable[bytes]:
        """Return all envelopes, in any order."""
        ...

    def keep(self, host: Address, envelope: bytes) -> None:
        """Keep an envelope in the place of an earlier one of the host.

        Raises:
            LimitError: there is no room; what was there stays.
        """
        ...

    def forget(self, host: Address) -> None:
        """Forget the envelope of a host; no effect when there is none."""
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
