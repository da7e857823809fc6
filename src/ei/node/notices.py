"""What happens at a node that its shell should know."""

from dataclasses import dataclass
from typing import Literal

from ei.sdk.packets import Address


@dataclass(frozen=True, slots=True)
class PeerMoved:
    """A pipe came up or went down."""

    peer: Address
    name: str
    is_up: bool


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """A service has no worker any more, or its worker does not answer."""

    service: str
    kind: Literal["worker_lost", "worker_slow"]


@dataclass(frozen=True, slots=True)
class DatapathFailed:
    """The datapath has stopped by itself: nothing works any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class CheckpointHeard:
    """Another node says what the log of a registry told it."""

    sender: Address
    checkpoint: bytes


NodeNotice = PeerMoved | WorkerFailed | DatapathFailed | CheckpointHeard
