"""Passing over bytes from front to back, noting each field. Pure."""

from ei.dissector.fields import Field, show


class Malformed(Exception):  # noqa: N818 a way out of the walk, not an error of anybody's
    """The bytes cannot be what they say; `reason` is the word a datapath would count it under."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Walk:
    """Goes through bytes from front to back and notes what it passes."""

    def __init__(self, datagram: bytes) -> None:
        self._rest = memoryview(datagram)
        self.fields: list[Field] = []

    def within(self, part: bytes) -> "Walk":
        """Return a walk over bytes that this one has passed, into the same list of fields."""
        inner = Walk(part)
        inner.fields = self.fields
        return inner

    @property
    def left(self) -> int:
        """Bytes that were not passed yet."""
        return len(self._rest)

    def take(self, name: str, size: int, *, reason: str = "truncated") -> bytes:
        """Pass `size` bytes as the field `name`; nothing is noted of an empty field."""
        if size > self.left:
            raise Malformed(reason)
        value = bytes(self._rest[:size])
        self._rest = self._rest[size:]
        if value:
            self.fields.append(Field(name, show(name, value)))
        return value

    def number(self, name: str, size: int, *, reason: str = "truncated") -> int:
        """Pass a number of `size` bytes."""
        return int.from_bytes(self.take(name, size, reason=reason), "little")

    def nibbles(self, high: str, low: str, *, reason: str = "truncated") -> tuple[int, int]:
        """Pass a byte of two numbers."""
        if self.left == 0:
            raise Malformed(reason)
        byte = self._rest[0]
        self._rest = self._rest[1:]
        for name, value in ((high, byte >> 4), (low, byte & 0x0F)):
            self.note(name, show(name, bytes([value])))
        return byte >> 4, byte & 0x0F

    def bits(self, byte: int, names: dict[str, int]) -> None:
        """Note the single bits of a byte that was passed."""
        for name, mask in names.items():
            self.note(name, "1" if byte & mask else "0")

    def note(self, name: str, value: str) -> None:
        """Note what follows from bytes that were passed."""
        self.fields.append(Field(name, value))
