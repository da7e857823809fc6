"""The log of a simulated run, kept as its digest: equal digests mean that the same happened.

```
datagram: 0 u8 | time ns u64 | link u32 | length u32 | fate length u8 | fate
note:     1 u8 | time ns u64 | length u32 | text
```
Little-endian. Then, by name, the digest over the log of each datapath (`Datapath.take_log`), which
has the headers it opened. Ciphertext is never part of it, so that another AEAD library gives the
same digest.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

_DATAGRAM = struct.Struct("<BQIIB")
_NOTE = struct.Struct("<BQI")
FLUSH_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log; `link` and `length` are 0 in a note.

    Attributes:
        now_ns: Virtual time.
        link: Number of one direction of a link.
        length: Of the datagram, in bytes.
        text: The fate of the datagram, or the note.
    """

    now_ns: int
    link: int
    length: int
    text: str


class _Hasher(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class EventLog:
    """Hashes what happened, in order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"ei event log 1")
        self._pending = bytearray()
        self._datapaths: dict[str, _Hasher] = {}
        self.datagrams = 0
        self.watch: Callable[[bytes], object] | None = None
        """Gets each entry, in order, as it is hashed."""

    def datagram(self, now_ns: int, *, link: int, length: int, fate: str) -> None:
        """A datagram reached the end of a link and met its fate there, or was lost on it."""
        word = fate.encode()
        self.datagrams += 1
        self._add(_DATAGRAM.pack(0, now_ns, link, length, len(word)) + word)

    def headers(self, name: str, log: bytes) -> None:
        """The datapath of `name` wrote more of its log."""
        self._datapaths.setdefault(name, hashlib.sha256()).update(log)

    def note(self, now_ns: int, text: str) -> None:
        """Something else happened, such as a fault that the scenario made."""
        encoded = text.encode()
        self._add(_NOTE.pack(1, now_ns, len(encoded)) + encoded)

    def digest(self) -> str:
        """Return SHA-256 over the log so far, in hex."""
        self._flush()
        whole = self._hash.copy()
        for name, log in sorted(self._datapaths.items()):
            whole.update(name.encode() + b"\0" + log.digest())
        return whole.hexdigest()

    def _add(self, entry: bytes) -> None:
        self._pending += entry
        if len(self._pending) > FLUSH_BYTES:
            self._flush()
        if self.watch is not None:
            _ = self.watch(entry)

    def _flush(self) -> None:
        self._hash.update(self._pending)
        self._pending.clear()


def read_entry(entry: bytes) -> Entry:
    """Return what one entry of a log says."""
    if entry[0] == 0:
        _, now_ns, link, length, _ = _DATAGRAM.unpack_from(entry)
        return Entry(now_ns, link, length, entry[_DATAGRAM.size :].decode())
    _, now_ns, _ = _NOTE.unpack_from(entry)
    return Entry(now_ns, 0, 0, entry[_NOTE.size :].decode())


def split_entries(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the entries of a log that comes in pieces of any size; half a last one is left out."""
    pending = b""
    for piece in pieces:
        pending += piece
        offset = 0
        while (end := offset + _entry_bytes(pending, offset)) <= len(pending):
            yield pending[offset:end]
            offset = end
        pending = pending[offset:]


def _entry_bytes(log: bytes, offset: int) -> int:
    """Return how long the entry at `offset` is; more than there is when its head is not whole."""
    if offset >= len(log):
        return 1
    head = _DATAGRAM if log[offset] == 0 else _NOTE
    if offset + head.size > len(log):
        return head.size
    return head.size + int(head.unpack_from(log, offset)[-1])
