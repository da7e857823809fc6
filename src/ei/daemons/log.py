"""What daemons say: one line an event, for people on a terminal, JSON lines otherwise.

In systemd's journal, which knows the time itself, a line begins with its priority: `<6>node runs`.
Keys and payloads are never logged. Text of strangers comes with its control characters escaped. Of
equal lines at most 10 in 10 s are written, then one that counts the rest.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
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


PRIORITIES = {Level.DEBUG: 7, Level.INFO: 6, Level.WARN: 4, Level.ERROR: 3}
"""Those of syslog, as sd-daemon(3) has them at the start of a line."""


class Log:
    """Writes lines of at least `level`.

    Args:
        stream: Where to.
        is_json: JSON lines rather than lines for people; by default, unless `stream` is a terminal
            or the journal.
        is_journal: `stream` goes to systemd's journal.
        level: Can be changed while it runs, also for a `part` of the program alone.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        is_json: bool | None = None,
        is_journal: bool = False,
        level: Level = Level.INFO,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        is_for_people = is_journal or self._stream.isatty()
        self._is_json = not is_for_people if is_json is None else is_json
        self._is_journal = is_journal
        self._windows: dict[str, _Window] = {}
        self._is_broken = False
        self._part = ""
        self._parts: dict[str, Log] = {}
        self._levels = {"": level}

    @property
    def level(self) -> Level:
        """The least important that is written."""
        return self._levels.get(self._part, self._levels[""])

    @level.setter
    def level(self, level: Level) -> None:
        if not self._part:
            self._levels.clear()  # what is said of the whole counts for each part
        self._levels[self._part] = level

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that have been named."""
        return tuple(self._parts)

    def part(self, name: str) -> "Log":
        """Return the log of one part of the program, such as `workers`: the same lines, marked."""
        if name not in self._parts:
            part = self._parts[name] = copy(self)
            part._part = name  # noqa: SLF001 it is a log as this one
        return self._parts[name]

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
        if self._part:
            fields = {"part": self._part, **fields}
        window = self._windows.setdefault(event, _Window(now_s))
        if now_s - window.started_s >= WINDOW_S:
            if window.lines > BURST_LINES:
                self._emit(level, event, {"repeated": window.lines - BURST_LINES})
            window.started_s, window.lines = now_s, 0
        window.lines += 1
        if window.lines <= BURST_LINES:
            self._emit(level, event, fields)

    def _emit(self, level: Level, event: str, fields: Mapping[str, object]) -> None:
        line = (
            self._json(level, event, fields) if self._is_json else self._text(level, event, fields)
        )
        if self._is_journal:
            line = f"<{PRIORITIES[level]}>{line}"
        try:
            print(line, file=self._stream, flush=True)
        except OSError:
            # A full disk or a closed terminal must not end a daemon; statistics() tells of it.
            self._is_broken = True

    def _json(self, level: Level, event: str, fields: Mapping[str, object]) -> str:
        start = {} if self._is_journal else {"time": _stamp()}
        message = {**start, "level": level.name.lower(), "event": event, **fields}
        return json.dumps(message, default=str)

    def _text(self, level: Level, event: str, fields: Mapping[str, object]) -> str:
        start = "" if self._is_journal else f"{_stamp()[11:23]} {level.name.lower():5} "
        shown = " ".join(f"{key}={_escaped(value)}" for key, value in fields.items())
        return f"{start}{event}  {shown}".rstrip()

    @property
    def is_broken(self) -> bool:
        """Whether lines were lost because they could not be written."""
        return self._is_broken


def log_of(environ: Mapping[str, str], stream: TextIO | None = None) -> Log:
    """Return the log that the environment asks for.

    `EI_LOG` is debug, info, warn or error; `EI_LOG_FORMAT` is json or text. `JOURNAL_STREAM` is
    systemd's.

    Args:
        stream: By default stderr.

    Raises:
        ConfigError: another word.
    """
    level = environ.get("EI_LOG", "info")
    if level.upper() not in Level.__members__:
        raise ConfigError(f"EI_LOG={level}: allowed are {', '.join(Level.__members__).lower()}")
    form = environ.get("EI_LOG_FORMAT", "")
    if form not in FORMATS:
        raise ConfigError(f"EI_LOG_FORMAT={form}: allowed are json and text")
    written: TextIO = sys.stderr if stream is None else stream
    is_journal = _is_journal(environ.get("JOURNAL_STREAM", ""), written)
    return Log(written, is_json=FORMATS[form], is_journal=is_journal, level=Level[level.upper()])


def _is_journal(named: str, stream: TextIO) -> bool:
    """Whether `stream` is the socket that systemd has named, by device and inode (systemd.exec(5)).

    A child whose stderr goes elsewhere inherits the name as well.
    """
    with suppress(OSError):
        found = os.fstat(stream.fileno())
        return named == f"{found.st_dev}:{found.st_ino}"
    return False


def _stamp() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")


FORMATS = {"": None, "json": True, "text": False}


class _Window:
    __slots__ = ("lines", "started_s")

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.lines = 0


def _escaped(value: object) -> str:
    text = str(value)
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
