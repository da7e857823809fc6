"""A disk that forgets what was not synced, tears what it was writing, is full, and rots."""

from random import Random

from ei.errors import LimitError, LocalError


class FakeDisk:
    """The files of one replica. What is only appended is lost by a crash, in part or as a whole.

    Attributes:
        is_full: Whether it takes nothing more.
        syncs_nothing: Whether it only says that it syncs: the bug that tests plant.
    """

    def __init__(self, randomness: Random) -> None:
        self._randomness = randomness
        self._safe: dict[str, bytes] = {}
        self._unsafe: dict[str, bytes] = {}
        self.is_full = False
        self.syncs_nothing = False
        self.appends = 0

    def read(self, name: str) -> bytes | None:
        kept = self._safe.get(name)
        return None if kept is None else kept + self._unsafe.get(name, b"")

    def append(self, name: str, content: bytes) -> None:
        self.appends += 1
        if self.is_full:
            torn = content[: self._randomness.randrange(len(content))]
            self._unsafe[name] = self._unsafe.get(name, b"") + torn
            raise LimitError("the disk is full")
        self._unsafe[name] = self._unsafe.get(name, b"") + content

    def sync(self, name: str) -> None:
        if self.syncs_nothing:
            return
        self._safe[name] = self._safe.get(name, b"") + self._unsafe.pop(name, b"")

    def replace(self, name: str, content: bytes) -> None:
        if self.is_full and len(content) > len(self._safe.get(name, b"")):
            raise LimitError("the disk is full")
        self._safe[name] = content
        _ = self._unsafe.pop(name, None)

    def crash(self) -> None:
        """Lose power: of what was not synced, some beginning stays, or zeros in its place."""
        for name, content in self._unsafe.items():
            kept = content[: self._randomness.randrange(len(content) + 1)]
            if kept and self._randomness.random() < 0.2:
                kept = bytes(len(kept))
            self._safe[name] = self._safe.get(name, b"") + kept
        self._unsafe.clear()

    def flip(self, name: str, at: int, bit: int = 0) -> None:
        """Let a bit of a file rot."""
        content = bytearray(self._safe[name])
        content[at] ^= 1 << bit
        self._safe[name] = bytes(content)

    def length(self, name: str) -> int:
        """Return how long a file is."""
        return len(self._safe.get(name, b""))

    def wipe(self) -> None:
        """Be another disk."""
        self._safe.clear()
        self._unsafe.clear()


def broken(reason: str) -> LocalError:
    """Return the error of a disk that does not answer."""
    return LocalError(reason)
