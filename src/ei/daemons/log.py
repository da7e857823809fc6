"""What daemons say: one line an event, for people on a terminal, JSON lines otherwise.

Keys and payloads are never logged. Text of strangers comes with its control characters escaped. Of
equal lines at most 10 in 10 s are written, then one that counts the rest.
"""

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import TextIO

from ei.errors import ConfigError

BURST_LINES = 10
WINDOW_S = 10.0
MAX_KEYS = 4_096


class Level(IntEnum):
    """How important a line is."""

    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40


class Log:
    """Writes lines of at least `level`.

    Args:
        stream: Where to.
        is_json: JSON lines rather than lines for people; by default, unless `stream` is a terminal.
        level: Can be changed while it runs.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        is_json: bool | None = None,
        level: Level = Level.INFO,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_json = not self._stream.isatty() if is_json is None else is_json
        self._windows: dict[str, _Window] = {}
        self._is_broken = False
        self.level = level

    def debug(self, event: str, **fields: object) -> None:
        """Write a line that only a developer needs."""
        self.write(Level.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Write a line about something normal."""
        self.write(Level.INFO, event, fields)

    def warn(self, event: str, **fields: object) -> None:
        """Write a line about something that costs somebody something."""
        self.write(Level.WARN, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Write a line about something that does not work."""
        self.write(Level.ERROR, event, fields)

    def write(self, level: Level, event: str, fields: Mapping[str, object]) -> None:
        """Write one line, unless too many of the same event came before it.

        Args:
            event: Words that identify the kind of event; never with anything variable in them.
            fields: The variable part.
        """
        if level < self.level:
            return
        now_s = time.monotonic()
        if len(self._windows) > MAX_KEYS:
            self._windows.clear()
        window = self._windows.setdefault(event, _Window(now_s))
        if now_s - window.started_s >= WINDOW_S:
            if window.lines > BURST_LINES:
                self._emit(level, event, {"repeated": window.lines - BURST_LINES})
            window.started_s, window.lines = now_s, 0
        window.lines += 1
        if window.lines <= BURST_LINES:
            self._emit(level, event, fields)

    def _emit(self, level: Level, event: str, fields: Mapping[str, object]) -> None:
        stamp = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        if self._is_json:
            line = json.dumps(
                {"time": stamp, "level": level.name.lower(), "event": event, **fields}, default=str
            )
        else:
            shown = " ".join(f"{key}={_escaped(value)}" for key, value in fields.items())
            line = f"{stamp[11:23]} {level.name.lower():5} {event}  {shown}".rstrip()
        try:
            print(line, file=self._stream, flush=True)
        except OSError:
            # A full disk or a closed terminal must not end a daemon; statistics() tells of it.
            self._is_broken = True

    @property
    def is_broken(self) -> bool:
        """Whether lines were lost because they could not be written."""
        return self._is_broken


def log_of(environ: Mapping[str, str]) -> Log:
    """Return the log that the environment asks for.

    `EI_LOG` is debug, info, warn or error; `EI_LOG_FORMAT` is json or text.

    Raises:
        ConfigError: another word.
    """
    level = environ.get("EI_LOG", "info")
    if level.upper() not in Level.__members__:
        raise ConfigError(f"EI_LOG={level}: allowed are {', '.join(Level.__members__).lower()}")
    form = environ.get("EI_LOG_FORMAT", "")
    if form not in FORMATS:
        raise ConfigError(f"EI_LOG_FORMAT={form}: allowed are json and text")
    return Log(is_json=FORMATS[form], level=Level[level.upper()])


FORMATS = {"": None, "json": True, "text": False}


class _Window:
    __slots__ = ("lines", "started_s")

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.lines = 0


def _escaped(value: object) -> str:
    text = str(value)
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
