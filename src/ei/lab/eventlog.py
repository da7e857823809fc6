"""The log of a simulated run, kept as its digest: equal digests mean that the same happened.

```
datagram: 0 u8 | time ns u64 | link u32 | length u32 | fate length u8 | fate
headers:  1 u8 | link u32 | length u32 | log of a datapath, see Datapath.take_log
note:     2 u8 | time ns u64 | length u32 | text
```
Little-endian. Ciphertext is never part of it, so that another AEAD library gives the same digest.
"""

import hashlib
import struct

_DATAGRAM = struct.Struct("<BQIIB")
_HEADERS = struct.Struct("<BII")
_NOTE = struct.Struct("<BQI")
FLUSH_BYTES = 65_536


class EventLog:
    """Hashes what happened, in order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"ei event log 1")
        self._pending = bytearray()
        self.datagrams = 0

    def datagram(self, now_ns: int, *, link: int, length: int, fate: str) -> None:
        """A datagram reached the end of a link and met its fate there, or was lost on it."""
        word = fate.encode()
        self.datagrams += 1
        self._pending += _DATAGRAM.pack(0, now_ns, link, length, len(word)) + word
        if len(self._pending) > FLUSH_BYTES:
            self._flush()

    def headers(self, log: bytes, *, link: int) -> None:
        """A datapath wrote of the headers that it opened because of a datagram on `link`."""
        self._pending += _HEADERS.pack(1, link, len(log)) + log

    def note(self, now_ns: int, text: str) -> None:
        """Something else happened, such as a fault that the scenario made."""
        encoded = text.encode()
        self._pending += _NOTE.pack(2, now_ns, len(encoded)) + encoded

    def digest(self) -> str:
        """Return SHA-256 over the log so far, in hex."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(self._pending)
        self._pending.clear()
