"""Where packets begin and end in the bytes of a connection. Pure."""

from ei.ways.mqtt.reasons import MqttError, Reason

LENGTH_BYTES = 4


class Framer:
    """Cuts bytes into packets; keeps at most one that is not whole, and what was fed at once.

    Args:
        limit_bytes: Longest packet. One that says it is longer is refused at its head.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._waiting = bytearray()
        self._at = 0

    def __repr__(self) -> str:
        return f"<Framer {len(self._waiting) - self._at} B waiting>"

    def feed(self, data: bytes) -> None:
        """Take what came."""
        del self._waiting[: self._at]
        self._at = 0
        self._waiting += data

    def next(self) -> tuple[int, bytes] | None:
        """Return the next packet that is whole: its first byte, and all behind its length.

        Raises:
            MqttError: a length is malformed, or above the limit.
        """
        found = self._length(self._at)
        if found is None or len(self._waiting) < sum(found):
            return None
        begin, length = found
        first = self._waiting[self._at]
        self._at = begin + length
        return first, bytes(self._waiting[begin : self._at])

    def _length(self, at: int) -> tuple[int, int] | None:
        """Return where the body of a packet begins, and its length, once that is known."""
        length = 0
        for place in range(LENGTH_BYTES):
            index = at + 1 + place
            if index >= len(self._waiting):
                return None
            byte = self._waiting[index]
            length |= (byte & 0x7F) << 7 * place
            if byte & 0x80:
                continue
            if place and not byte:
                raise MqttError("a length is longer than it has to be")
            if index + 1 - at + length > self._limit_bytes:
                raise MqttError(
                    f"a packet of {length} B seen, {self._limit_bytes} B allowed",
                    Reason.PACKET_TOO_LARGE,
                )
            return index + 1, length
        raise MqttError("a length has more than four bytes")
