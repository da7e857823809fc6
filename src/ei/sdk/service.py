"""The base class of every service module, and what its handlers may read."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from random import Random
from typing import Generic, Protocol, TypeVar

import msgspec

from ei.sdk.effects import Effect
from ei.sdk.events import (
    ControlArrived,
    NotKept,
    PacketArrived,
    PeerChanged,
    Resolved,
    Started,
    TallyRead,
    TimerFired,
)
from ei.sdk.packets import Address
from ei.sdk.records import Query, Record
from ei.sdk.storage import Store
from ei.sdk.streams import StreamEvent

ConfigT = TypeVar("ConfigT")


class Randomness(Protocol):
    """Where `ctx.random` comes from."""

    def of_event(self) -> Random:
        """Return the generator of the event that is being handled."""
        ...


class Context(msgspec.Struct, Generic[ConfigT], frozen=True, gc=False):
    """All that a handler may read. It holds no clock, no socket and no file.

    Attributes:
        now_s: Monotonic time of the event, in seconds, never decreasing. Nothing to keep in
            `stable`: it begins anew when the machine does.
        unix_s: Wall clock of the event, in seconds; may jump.
        node: The node that this instance runs on.
        domain: Number of the node's domain.
        peers: Hosts and nodes whose pipe is up, each with its smoothed round trip in seconds
            (0 until it was measured).
        records: Queries answered lately: the record, or `None` where there is none.
        config: Parsed configuration.
        stable: Survives a crash of the node.
        ephemeral: Lost with the worker; a service must heal from that by itself.
        randomness: Source of `random`.
    """

    now_s: float
    unix_s: float
    node: Address
    domain: int
    peers: Mapping[Address, float]
    records: Mapping[Query, Record | None]
    config: ConfigT
    stable: Store
    ephemeral: Store
    randomness: Randomness

    @property
    def random(self) -> Random:
        """Fit for keys, and repeatable: it follows from the node's seed and the event's number.

        What was drawn tells nothing of what else is, in the same event or another. On a node the
        seed is of the system and nobody else's, new with each start; in labs it is known.
        """
        return self.randomness.of_event()


class Service(ABC, Generic[ConfigT]):
    """A service module: a function from (event, context) to effects.

    An instance has no attributes; what it must remember it keeps in a store. One call is one
    transaction: its effects and its writes happen together, or, if it raises, not at all.

    A folder's `service.py` names its class `SERVICE`, the type of its configuration `Config` (if
    it has any), and the union of its control messages `MESSAGES` (if it has any).
    """

    __slots__ = ()

    @abstractmethod
    def on_packet(self, event: PacketArrived, ctx: Context[ConfigT]) -> Iterable[Effect]:
        """Answer a packet: send, pass, hold or drop it. Not answering is a contract error."""

    def on_control(self, event: ControlArrived, ctx: Context[ConfigT]) -> Iterable[Effect]:
        """React to a control message. By default: nothing."""
        return ()

    def on_timer(self, event: TimerFired, ctx: Context[ConfigT]) -> Iterable[Effect]:
        """React to a timer that this service armed. By default: nothing."""
        return ()

    def on_peer(self, event: PeerChanged, ctx: Context[ConfigT]) -> Iterable[Effect]:
        """React to a pipe that came up or went down. By default: nothing."""
        return ()

    def on_resolved(self, event: Resolved, ctx: Context[ConfigT]) -> Iterable[Effect]:
        """React to the answer of a query, before held packets come back. By default: nothing."""
        return ()

    def on_tally(self, event: TallyRead, ctx: Context[ConfigT]) -> Iterable[Effect]:
        """React to counts that were asked for. By default: nothing."""
        return ()

    def on_not_kept(self, event: NotKept, ctx: Context[ConfigT]) -> Iterable[Effect]:
        """React to packets that could not be sent again. By default: nothing."""
        return ()

    def on_stream(self, event: StreamEvent, ctx: Context[ConfigT]) -> Iterable[Effect]:
        """React to a stream: opened, read, writable or closed. By default: nothing."""
        return ()

    def on_start(self, event: Started, ctx: Context[ConfigT]) -> Iterable[Effect]:
        """Begin: arm timers, ask for what is needed. By default: nothing."""
        return ()
