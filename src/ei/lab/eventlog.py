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
from typing import Protocol

_DATAGRAM = struct.Struct("<BQIIB")
_NOTE = struct.Struct("<BQI")
FLUSH_BYTES = 65_536


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

    def datagram(self, now_ns: int, *, link: int, length: int, fate: str) -> None:
        """A datagram reached the end of a link and met its fate there, or was lost on it."""
        word = fate.encode()
        self.datagrams += 1
        self._pending += _DATAGRAM.pack(0, now_ns, link, length, len(word)) + word
        if len(self._pending) > FLUSH_BYTES:
            self._flush()

    def headers(self, name: str, log: bytes) -> None:
        """The datapath of `name` wrote more of its log."""
        self._datapaths.setdefault(name, hashlib.sha256()).update(log)

    def note(self, now_ns: int, text: str) -> None:
        """Something else happened, such as a fault that the scenario made."""
        encoded = text.encode()
        self._pending += _NOTE.pack(1, now_ns, len(encoded)) + encoded

    def digest(self) -> str:
        """Return SHA-256 over the log so far, in hex."""
        self._flush()
        whole = self._hash.copy()
        for name, log in sorted(self._datapaths.items()):
            whole.update(name.encode() + b"\0" + log.digest())
        return whole.hexdigest()

    def _flush(self) -> None:
        self._hash.update(self._pending)
        self._pending.clear()
