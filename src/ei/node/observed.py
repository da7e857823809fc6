"""What the metrics of a node are made from."""

from dataclasses import dataclass

from ei.node.admin import RunningStatus


@dataclass(frozen=True, slots=True)
class Observed:
    """A node at one moment, as its metrics see it.

    Attributes:
        version: Of the program.
    """

    running: RunningStatus
    unix_s: float
    version: str
