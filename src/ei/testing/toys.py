"""Services made of functions, for tests of what runs them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypedDict, Unpack

import msgspec

from ei.runtime.loader import LoadedService
from ei.sdk import (
    Address,
    Connection,
    Context,
    ControlArrived,
    DropPacket,
    Effect,
    Manifest,
    NotKept,
    Packet,
    PacketArrived,
    PeerChanged,
    Resolved,
    Service,
    Started,
    StreamEvent,
    TallyRead,
    TimerFired,
)

TOY_NUMBER = 0xF000_0001
Handler = Callable[[Any, Context[Any]], Iterable[Effect]]


class Handlers(TypedDict, total=False):
    """What a toy does; each is a function of event and context."""

    on_packet: Handler
    on_control: Handler
    on_timer: Handler
    on_peer: Handler
    on_resolved: Handler
    on_tally: Handler
    on_not_kept: Handler
    on_stream: Handler
    on_start: Handler


def toy_manifest(**fields: object) -> Manifest:
    """Make a manifest; what is not given is generous."""
    generous: dict[str, object] = {
        "id": TOY_NUMBER,
        "name": "toy",
        "version": "0.0.1",
        "summary": "A toy.",
        "stable_bytes": 100_000,
        "ephemeral_bytes": 100_000,
        "tier": "heavy",
        "drop_reasons": ("unwanted",),
        "counters": ("seen",),
    }
    return msgspec.convert({**generous, **fields}, Manifest)


def toy(  # noqa: C901 one method for each handler
    *,
    manifest: Manifest | None = None,
    messages: tuple[type[msgspec.Struct], ...] = (),
    config_type: type[msgspec.Struct] | None = None,
    **handlers: Unpack[Handlers],
) -> LoadedService:
    """Make a service of functions; without `on_packet` it drops packets as `unwanted`."""

    class Toy(Service[Any]):
        __slots__ = ()

        def on_packet(self, event: PacketArrived, ctx: Context[Any]) -> Iterable[Effect]:
            return handlers.get("on_packet", _drop)(event, ctx)

        def on_control(self, event: ControlArrived, ctx: Context[Any]) -> Iterable[Effect]:
            return handlers.get("on_control", super().on_control)(event, ctx)

        def on_timer(self, event: TimerFired, ctx: Context[Any]) -> Iterable[Effect]:
            return handlers.get("on_timer", super().on_timer)(event, ctx)

        def on_peer(self, event: PeerChanged, ctx: Context[Any]) -> Iterable[Effect]:
            return handlers.get("on_peer", super().on_peer)(event, ctx)

        def on_resolved(self, event: Resolved, ctx: Context[Any]) -> Iterable[Effect]:
            return handlers.get("on_resolved", super().on_resolved)(event, ctx)

        def on_tally(self, event: TallyRead, ctx: Context[Any]) -> Iterable[Effect]:
            return handlers.get("on_tally", super().on_tally)(event, ctx)

        def on_not_kept(self, event: NotKept, ctx: Context[Any]) -> Iterable[Effect]:
            return handlers.get("on_not_kept", super().on_not_kept)(event, ctx)

        def on_stream(self, event: StreamEvent, ctx: Context[Any]) -> Iterable[Effect]:
            return handlers.get("on_stream", super().on_stream)(event, ctx)

        def on_start(self, event: Started, ctx: Context[Any]) -> Iterable[Effect]:
            return handlers.get("on_start", super().on_start)(event, ctx)

    return LoadedService(
        manifest=manifest or toy_manifest(),
        folder=Path(__file__).parent,
        service=Toy,
        config_type=config_type,
        messages=messages,
    )


def toy_packet(
    source: bytes = b"alice".ljust(16, b"\0"), *, metadata: bytes = b"", payload: bytes = b""
) -> PacketArrived:
    """Make a packet that arrives at the toy by the pipe of its source."""
    address = Address(source)
    return PacketArrived(Packet(TOY_NUMBER, address, address, Connection(1), metadata, payload))


def _drop(_event: PacketArrived, _ctx: Context[Any]) -> Iterable[Effect]:
    yield DropPacket("unwanted")
