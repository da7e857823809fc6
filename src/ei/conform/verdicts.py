"""What a check of a law comes to."""

from typing import Literal

import msgspec

Result = Literal["kept", "broken", "none"]
"""`none`: the module has nothing that the law is about."""


class Verdict(msgspec.Struct, frozen=True):
    """What became of one law.

    Attributes:
        result: Whether it is kept.
        event: Number of the event in its story, from 1; 0 where it is about none.
        said: What was seen, in words; empty unless it is broken.
    """

    result: Result
    event: int = 0
    said: str = ""


KEPT = Verdict("kept")
NONE = Verdict("none")


def broken(event: int, said: str) -> Verdict:
    """Return that a law is broken, at which event and how."""
    return Verdict("broken", event, said)
