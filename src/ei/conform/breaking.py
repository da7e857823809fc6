"""A module whose events can be broken off in the middle, and a disk that can be full."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ei.errors import LimitError
from ei.runtime.loader import LoadedService
from ei.runtime.stores import MemoryStore
from ei.sdk import (
    Context,
    ControlArrived,
    Effect,
    Event,
    NotKept,
    PacketArrived,
    PeerChanged,
    Resolved,
    Service,
    Started,
    StreamEvent,
    TallyRead,
    TimerFired,
)


class BrokenOffError(Exception):
    """An event was broken off on purpose."""


@dataclass(slots=True)
class Switch:
    """When events break off.

    Attributes:
        after: Effects taken from the handler before; 0 does not even call it, `None` lets it be.
    """

    after: int | None = None


class FullDisk(MemoryStore):
    """A store that cannot keep anything while `is_full`.

    Attributes:
        is_full: Whether a commit fails.
    """

    def __init__(self, *, limit_bytes: int) -> None:
        super().__init__(limit_bytes=limit_bytes)
        self.is_full = False

    def commit(self) -> None:
        if self.is_full:
            raise LimitError("the disk is full")


def breakable(  # noqa: C901 one method for each handler
    loaded: LoadedService, switch: Switch
) -> LoadedService:
    """Return a module whose events break off as `switch` says."""

    def handle(
        handler: Callable[[Any, Context[Any]], Iterable[Effect]], event: Event, ctx: Context[Any]
    ) -> Iterable[Effect]:
        if switch.after is None:
            return handler(event, ctx)
        return _broken_off(handler, event, ctx, switch.after)

    own = loaded.service

    class Breakable(Service[Any]):
        __slots__ = ()

        def on_packet(self, event: PacketArrived, ctx: Context[Any]) -> Iterable[Effect]:
            return handle(own().on_packet, event, ctx)

        def on_control(self, event: ControlArrived, ctx: Context[Any]) -> Iterable[Effect]:
            return handle(own().on_control, event, ctx)

        def on_timer(self, event: TimerFired, ctx: Context[Any]) -> Iterable[Effect]:
            return handle(own().on_timer, event, ctx)

        def on_peer(self, event: PeerChanged, ctx: Context[Any]) -> Iterable[Effect]:
            return handle(own().on_peer, event, ctx)

        def on_resolved(self, event: Resolved, ctx: Context[Any]) -> Iterable[Effect]:
            return handle(own().on_resolved, event, ctx)

        def on_tally(self, event: TallyRead, ctx: Context[Any]) -> Iterable[Effect]:
            return handle(own().on_tally, event, ctx)

        def on_not_kept(self, event: NotKept, ctx: Context[Any]) -> Iterable[Effect]:
            return handle(own().on_not_kept, event, ctx)

        def on_stream(self, event: StreamEvent, ctx: Context[Any]) -> Iterable[Effect]:
            return handle(own().on_stream, event, ctx)

        def on_start(self, event: Started, ctx: Context[Any]) -> Iterable[Effect]:
            return handle(own().on_start, event, ctx)

    return replace(loaded, service=Breakable)


def _broken_off(
    handler: Callable[[Any, Context[Any]], Iterable[Effect]],
    event: Event,
    ctx: Context[Any],
    after: int,
) -> Iterator[Effect]:
    if after:
        for number, effect in enumerate(handler(event, ctx), 1):
            yield effect
            if number == after:
                break
    raise BrokenOffError
