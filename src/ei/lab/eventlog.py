"""The log of a simulated run, kept as its digest: equal digests mean that the same happened.

```
datagram: 0 u8 | time ns u64 | link u32 | length u32 | fate length u8 | fate
note:     1 u8 | time ns u64 | length u32 | text
```
Little-endian. Each domain has a log of its own, with what arrived at its nodes and hosts and what
they sent that was lost; notes have another. The digest is over the digests of all, by name, and
over that of the log of each datapath (`Datapath.take_log`), which has the headers it opened. So it
is the same however the domains are dealt to processes. Ciphertext is never part of it, so that
another AEAD library gives the same digest.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

_DATAGRAM = struct.Struct("<BQIIB")
_NOTE = struct.Struct("<BQI")
FLUSH_BYTES = 16_384
NOTES = ""
"""Log of the notes: no domain has that name."""
MAX_UNLOGGED = 512
"""Datagrams whose headers may stay in the datapath: its own log is bounded, and forgets beyond."""


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
    def update(self, data: bytes | bytearray, /) -> None: ...
    def digest(self) -> bytes: ...


class _Log:
    """Hashes one log, a piece at a time."""

    def __init__(self) -> None:
        self._hash: _Hasher = hashlib.sha256()
        self.pending = bytearray()

    def flush(self) -> None:
        self._hash.update(self.pending)
        self.pending.clear()

    def digest(self) -> bytes:
        self.flush()
        return self._hash.digest()


class EventLog:
    """Hashes what happened, in order."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        self._datapaths: dict[str, _Hasher] = {}
        self.watch: Callable[[bytes], object] | None = None
        """Gets each entry, in order, as it is hashed."""

    def datagram(self, now_ns: int, *, domain: str, link: int, length: int, fate: str) -> None:
        """A datagram reached the end of a link and met its fate there, or was lost on it.

        Args:
            domain: Of who got it; of who sent it, when it was lost.
        """
        word = fate.encode()
        self._add(domain, _DATAGRAM.pack(0, now_ns, link, length, len(word)) + word)

    def add_datagrams(self, domain: str, entries: bytes) -> None:
        """As `datagram`, of several: the native underlay writes their entries by itself."""
        if self.watch is None:
            self._add(domain, entries)
            return
        for entry in split_entries([entries]):
            self._add(domain, entry)

    def headers(self, name: str, log: bytes) -> None:
        """The datapath of `name` wrote more of its log."""
        self._datapaths.setdefault(name, hashlib.sha256()).update(log)

    def note(self, now_ns: int, text: str) -> None:
        """Something else happened, such as a fault that the scenario made."""
        encoded = text.encode()
        self._add(NOTES, _NOTE.pack(1, now_ns, len(encoded)) + encoded)

    def digests(self) -> dict[str, bytes]:
        """Return SHA-256 over each log so far, by name."""
        logs: Mapping[str, _Log | _Hasher] = {**self._logs, **self._datapaths}
        return {name: log.digest() for name, log in logs.items()}

    def digest(self) -> str:
        """Return SHA-256 over all so far, in hex."""
        return whole_digest(self.digests())

    def _add(self, name: str, entry: bytes) -> None:
        log = self._logs.get(name)
        if log is None:
            log = self._logs[name] = _Log()
        log.pending += entry
        if len(log.pending) > FLUSH_BYTES:
            log.flush()
        if self.watch is not None:
            _ = self.watch(entry)


def whole_digest(digests: Mapping[str, bytes]) -> str:
    """Return SHA-256, in hex, over what `EventLog.digests` says of a run, all its processes."""
    whole = hashlib.sha256(b"ei event log 2")
    for name, digest in sorted(digests.items()):
        whole.update(name.encode() + b"\0" + digest)
    return whole.hexdigest()


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
