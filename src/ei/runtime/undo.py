"""What makes an event, and a batch of them, all or nothing."""

from collections.abc import Callable
from typing import TypeVarTuple

Ts = TypeVarTuple("Ts")


class UndoLog:
    """How to take back each change since the last commit, newest last.

    Stores, timers and holds change at once and say here how to change back. So keeping an event
    or a batch costs nothing, and taking one back costs what it did.

    Attributes:
        steps: Their number is the mark for `undo_to`.
    """

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps: list[tuple[Callable[..., None], tuple[object, ...]]] = []

    def __repr__(self) -> str:
        return f"<UndoLog {len(self.steps)} changes>"

    def add(self, step: Callable[[*Ts], None], *args: *Ts) -> None:
        """Remember that `step(*args)` takes back the change that is about to be made."""
        self.steps.append((step, args))

    def undo_to(self, mark: int) -> None:
        """Take back all changes since the log had `mark` of them, newest first."""
        while len(self.steps) > mark:
            step, args = self.steps.pop()
            step(*args)

    def clear(self) -> None:
        """Keep all changes."""
        self.steps.clear()
