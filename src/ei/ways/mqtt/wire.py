"""The types of which MQTT packets are made (MQTT 5, 1.5): read with bounds, and written."""

from ei.ways.mqtt.reasons import MqttError

MAX_TEXT_BYTES = 65_535
MAX_VARINT = 268_435_455
MORE = 0x80
"""In a byte of a number: another one follows."""


class Reader:
    """Reads one packet from its start to its end. Whatever is not there is malformed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left_bytes(self) -> int:
        """What has not been read."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """Return so many bytes."""
        if count > self.left_bytes:
            raise MqttError(f"{count} bytes wanted, {self.left_bytes} left in the packet")
        piece = self._data[self._at : self._at + count]
        self._at += count
        return piece

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(self.left_bytes)

    def number(self, size_bytes: int) -> int:
        """Return an unsigned number, the highest byte first."""
        return int.from_bytes(self.take(size_bytes))

    def varint(self) -> int:
        """Return a number of 1 to 4 bytes, in the shortest form."""
        value = 0
        for place in range(4):
            byte = self.number(1)
            value |= (byte & 0x7F) << 7 * place
            if not byte & MORE:
                if place and not byte:
                    raise MqttError("a number is longer than it has to be")
                return value
        raise MqttError("a number has more than four bytes")

    def binary(self) -> bytes:
        """Return bytes that say how many they are."""
        return self.take(self.number(2))

    def text(self) -> str:
        """Return UTF-8 without U+0000."""
        try:
            found = self.binary().decode()
        except UnicodeDecodeError as error:
            raise MqttError("a text is no UTF-8") from error
        if "\0" in found:
            raise MqttError("a text has U+0000 in it")
        return found

    def end(self) -> None:
        """See that all was read."""
        if self.left_bytes:
            raise MqttError(f"{self.left_bytes} bytes too many in the packet")


def varint(value: int) -> bytes:
    """Return a number of at most `MAX_VARINT` in 1 to 4 bytes."""
    written = bytearray()
    while value >= MORE:
        written.append(value & 0x7F | MORE)
        value >>= 7
    written.append(value)
    return bytes(written)


def binary(value: bytes) -> bytes:
    """Return at most 65_535 bytes behind their number."""
    return len(value).to_bytes(2) + value


def text(value: str) -> bytes:
    """Return a text of at most 65_535 bytes as UTF-8 behind its length."""
    return binary(value.encode())
