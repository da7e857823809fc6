"""What is wrong with a bundle: a code that never changes its meaning, the line, and what helps."""

import re
from dataclasses import asdict, dataclass
from typing import Literal

Code = Literal[
    "unknown_service",
    "wrong_version",
    "loop",
    "too_long",
    "twice",
    "no_sender",
    "two_senders",
    "misplaced",
    "wrong_kind",
    "wrong_end",
    "two_readers",
    "one_operator",
    "too_small",
    "too_slow",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a bundle is refused.

    Attributes:
        line: In its `bundle.toml`, from 1.
        said: What was seen, and what is allowed.
        fix: What to do about it.
    """

    code: Code
    line: int
    said: str
    fix: str

    def content(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


class Lines:
    """Where the things of a `bundle.toml` are.

    Args:
        text: Its text, which was parsed before.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def of_service(self, place: int, name: str) -> int:
        """Return the line that names the service at a place, from 0."""
        names = [
            number
            for number, line in enumerate(self._lines, 1)
            for _ in re.finditer(r"\bname\s*=\s*[\"']", line)
        ]
        # Before the services comes the name of the bundle itself; TOML has it no other way when
        # services are tables, and it is not between them when they are not.
        at = place + 1
        if at < len(names) and name in self._lines[names[at] - 1]:
            return names[at]
        return self.of_key("services")

    def of_key(self, key: str) -> int:
        """Return the line that begins with a key, or with its table; 1 if there is none."""
        pattern = re.compile(rf"\s*(\[\[)?{re.escape(key)}\b")
        return next((at for at, line in enumerate(self._lines, 1) if pattern.match(line)), 1)
