"""What a worker says besides its answers: how its jail stands, its last words, lines for the log.

A module shares its process with the environment, so it can say all of this too. Hence the first
word on the jail, said before the module runs, is the one that counts, and lines are made harmless:
no control characters, so many a second, each with the name of who said it.
"""

import os

import msgspec

from ei.runtime.jail import Jail

MAX_WORDS_BYTES = 3_900
"""Together with its frame less than a pipe takes at once, 4,096 B."""

LINES_PER_S = 20
MAX_LINE = 500
_READ_BYTES = 4_096


class Jailed(msgspec.Struct, frozen=True, tag="jailed"):
    """How the jail stands, now that it is closed."""

    jail: Jail


class LastWords(msgspec.Struct, frozen=True, tag="last"):
    """Why the worker ends."""

    cause: str


Words = Jailed | LastWords
_WORDS: msgspec.msgpack.Decoder[Words] = msgspec.msgpack.Decoder(Words)


def say(writer: int, words: Words) -> None:
    """Say something, as a worker.

    Args:
        writer: End of a pipe of packets (`O_DIRECT`).
    """
    if isinstance(words, LastWords):
        words = LastWords(words.cause.encode()[:MAX_WORDS_BYTES].decode(errors="ignore"))
    _ = os.write(writer, msgspec.msgpack.encode(words))


def hear(reader: int) -> Words | None:
    """Return what was said next; `None` when there is nothing, or nothing that makes sense.

    Args:
        reader: End of a pipe of packets, which does not block.
    """
    try:
        return _WORDS.decode(os.read(reader, _READ_BYTES))
    except (BlockingIOError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def harmless(text: str) -> str:
    """Return a text of which a terminal or a log makes nothing but text."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Lines:
    """Turns what comes from a worker's standard error into lines for ours.

    Args:
        name: Of the service.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._rest = b""
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def take(self, said: bytes, now_s: float) -> list[str]:
        """Return the lines to be written; the rest of an unfinished one waits.

        Args:
            said: As it came; empty at the end, when what waits is a line too.
            now_s: Monotonic.
        """
        *lines, self._rest = (self._rest + said + b"\n" * (not said)).split(b"\n")
        if len(self._rest) > MAX_LINE:
            lines.append(self._rest)
            self._rest = b""
        found: list[str] = []
        if int(now_s) != self._second:
            self._second, self._lines = int(now_s), 0
            if self._left_out:
                found.append(f"worker {self._name}: {self._left_out} lines left out")
                self._left_out = 0
        prefix = f"worker {self._name}: "
        for line in lines:
            if not line:
                continue
            if self._lines >= LINES_PER_S:
                self._left_out += 1
                continue
            self._lines += 1
            text = harmless(line[:MAX_LINE].decode(errors="replace"))
            found.append(text if text.startswith(prefix) else prefix + text)
        return found
