"""Bodies in pieces: what a store keeps of responses, and hands out from any position."""

from ei.sdk import Store

PIECE_BYTES = 64 * 1024


class Bodies:
    """The bodies in one store, each under a name of 8 bytes.

    Args:
        store: Memory or disk.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(self, name: bytes, size: int, data: bytes) -> int:
        """Add to a body that has `size` bytes so far; return how many it has then."""
        start = size - size % PIECE_BYTES
        if start < size:
            data = self._piece(name, start) + data
        for offset in range(0, len(data), PIECE_BYTES):
            piece = data[offset : offset + PIECE_BYTES]
            self._store.put(_key(name, start + offset), piece)
        return start + len(data)

    def read(self, name: bytes, position: int, limit: int) -> bytes:
        """Return up to `limit` bytes at `position`, of one piece; none past the end."""
        start = position - position % PIECE_BYTES
        return self._piece(name, start)[position - start :][:limit]

    def delete(self, name: bytes, size: int) -> None:
        """Forget a body of `size` bytes."""
        for offset in range(0, size, PIECE_BYTES):
            self._store.delete(_key(name, offset))

    def move(self, name: bytes, size: int, to: "Bodies") -> None:
        """Take a body to another store."""
        for offset in range(0, size, PIECE_BYTES):
            _ = to.append(name, offset, self._piece(name, offset))
        self.delete(name, size)

    def _piece(self, name: bytes, start: int) -> bytes:
        return self._store.get(_key(name, start)) or b""


def _key(name: bytes, start: int) -> bytes:
    return b"bodies/" + name + (start // PIECE_BYTES).to_bytes(4, "big")
