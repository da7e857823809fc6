"""The reference of the native stages: what a payload becomes, or why it is refused.

    magic 28 b5 2f fd | descriptor u8 | [window u8] | [dictionary] | [content size] | blocks

The layout is that of RFC 8878. The service itself never runs this: its stages are native, and this
says what they must do, on any CPU.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

import zstandard

LEVEL = 3
VERSIONS = 3
"""Dictionaries of one object that are kept."""
MIN_WINDOW_BYTES = 1_024
"""Of a frame that says its window."""
_SHORT_BYTES, _SHORT_FROM = 2, 256
"""A content size of two bytes counts from 256."""
_MAGIC = b"\x28\xb5\x2f\xfd"


class RefusedError(ValueError):
    """A frame is refused; the message is the word of the drop reason."""


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What a frame says of itself.

    Attributes:
        content_bytes: What it decompresses to.
        window_bytes: Memory that this takes.
        dictionary: Number of its dictionary; 0 for none.
    """

    content_bytes: int
    window_bytes: int
    dictionary: int


def read_header(frame: bytes) -> FrameHeader | None:
    """Return the header of a frame whose content size is known; `None` for anything else."""
    if len(frame) < len(_MAGIC) + 1 or not frame.startswith(_MAGIC):
        return None
    descriptor, at = frame[4], 5
    is_single = bool(descriptor & 0x20)
    size_bytes = (1 if is_single else 0, 2, 4, 8)[descriptor >> 6]
    number_bytes = (0, 1, 2, 4)[descriptor & 3]
    needed = at + (not is_single) + number_bytes + size_bytes
    if descriptor & 0x08 or size_bytes == 0 or len(frame) < needed:
        return None
    window = 0
    if not is_single:
        exponent, mantissa = divmod(frame[at], 8)
        window = (1 << (10 + exponent)) // 8 * (8 + mantissa)
        at += 1
    number = int.from_bytes(frame[at : at + number_bytes], "little")
    at += number_bytes
    content = int.from_bytes(frame[at : at + size_bytes], "little") + _SHORT_FROM * (
        size_bytes == _SHORT_BYTES
    )
    return FrameHeader(content, content if is_single else window, number)


class Reference:
    """The dictionaries of one object, and the two stages over them."""

    def __init__(self) -> None:
        self._kept: dict[int, zstandard.ZstdCompressionDict] = {}

    def keep(self, dictionary: bytes) -> None:
        """Keep a dictionary, in the place of that with its number; of four the lowest goes."""
        (number,) = struct.unpack_from("<I", dictionary, 4)
        loaded = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_FULLDICT)
        loaded.precompute_compress(level=LEVEL)  # pyright: ignore[reportUnknownMemberType]
        self._kept[number] = loaded
        if len(self._kept) > VERSIONS:
            del self._kept[min(self._kept)]

    def compress(self, payload: bytes, dictionary: int, ratio: int) -> bytes | None:
        """Return the frame of a payload; `None` leaves it as it is."""
        known = self._kept.get(dictionary)
        if known is None:
            return None
        frame = zstandard.ZstdCompressor(level=LEVEL, dict_data=known).compress(payload)
        return frame if len(frame) < len(payload) <= len(frame) * ratio else None

    def decompress(self, frame: bytes, ratio: int, limit_bytes: int) -> bytes:
        """Return the payload of a frame.

        Raises:
            RefusedError: undecodable, unknown_dictionary or expands_too_much.
        """
        header = read_header(frame)
        if header is None:
            raise RefusedError("undecodable")
        if header.content_bytes > min(limit_bytes, len(frame) * ratio):
            raise RefusedError("expands_too_much")
        if header.window_bytes > max(limit_bytes, MIN_WINDOW_BYTES):
            raise RefusedError("expands_too_much")
        if header.dictionary not in self._kept:
            raise RefusedError("unknown_dictionary")
        opened = zstandard.ZstdDecompressor(dict_data=self._kept[header.dictionary]).decompressobj()
        try:
            payload = opened.decompress(frame)
        except zstandard.ZstdError as error:
            raise RefusedError("undecodable") from error
        if not opened.eof or opened.unused_data or len(payload) != header.content_bytes:
            raise RefusedError("undecodable")
        return payload


def train(samples: Iterable[bytes], *, number: int, size_bytes: int = 8_192) -> bytes:
    """Return a dictionary with that number, trained by payloads like those it will compress.

    Args:
        samples: Some hundreds at least, all together about 100 times as long as the dictionary.
        number: 1 to 2^32 - 1.
        size_bytes: Most bytes; a few less make it faster, a few more rarely smaller.

    Raises:
        ValueError: too few samples, or too much alike.
    """
    try:
        trained = zstandard.train_dictionary(size_bytes, list(samples), dict_id=number)
    except zstandard.ZstdError as error:
        raise ValueError(f"the samples make no dictionary: {error}") from error
    return trained.as_bytes()
