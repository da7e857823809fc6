"""Runs a service through a script of events, with a clock that only the test moves."""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import msgspec

from ei.errors import EiError
from ei.runtime.environment import Environment
from ei.runtime.loader import LoadedService, load_afresh, load_service
from ei.runtime.statistics import EnvironmentStatistics
from ei.runtime.stores import MemoryStore
from ei.sdk import (
    NOWHERE,
    Address,
    Connection,
    ControlArrived,
    Effect,
    Event,
    Packet,
    PacketArrived,
    PeerChanged,
    Protection,
    Query,
    Record,
    Resolved,
    Started,
    TallyRead,
    TimerFired,
)
from ei.testing.far_ends import FarEnd
from ei.testing.stream_model import WINDOW_BYTES, StreamsModel

__tracebackhide__ = True  # pytest shows the lines of scripts and services, and none of this file

START_S = 1_000.0
"""Time at which every script begins."""


def address(name: str | Address) -> Address:
    """Make a readable address: `address("alice")` in domain 1, `address("bob.2")` in domain 2.

    Args:
        name: Up to 10 letters, and the number of another domain than 1; or an address, which stays
            as it is: one that keys have, where something is signed.
    """
    if not isinstance(name, str):
        return name
    own, _, domain = name.partition(".")
    return Address(b"\xfd5" + int(domain or 1).to_bytes(4, "big") + own.encode().ljust(10, b"\0"))


Act = Callable[[Environment, Any], tuple[Effect, ...]]
Start = Callable[[MemoryStore], Environment]


class PacketFields(TypedDict, total=False):
    """What a script may say of a packet beside its source; names are those of peers."""

    service: int
    ingress: str | Address
    connection: int
    metadata: bytes
    payload: bytes
    traffic_class: int
    hop_limit: int
    protection: Protection
    is_covered: bool
    is_traced: bool
    egress: Address


class Playbook:
    """A service under test.

    Each method that is an event returns the effects that the service answers with. The same
    can be written as a script: `>>` is an event, `<<` the next effect (or its type), and an
    effect that the script leaves out fails it.

    Streams have another end, which the script plays: `open_stream` and `far_end`. What follows
    from an event on them, such as the bytes that a read asks for, is delivered with it.

    A second environment, for which the service is loaded afresh before each event, must answer
    the same: so every script is a test of law 1 too.

    Example:
        >>> play = Playbook("echo", peers=["alice"])
        >>> ping = play.make_packet("alice", payload=b"hello")
        >>> assert (
        ...     play >> PacketArrived(ping) << InstallDecision << SendPacket(ping, address("alice"))
        ... )
    """

    def __init__(
        self,
        service: str | Path,
        *,
        peers: Sequence[str | Address] = (),
        node: str | Address = "self",
        seed: int = 0,
        config: Mapping[str, object] | None = None,
    ) -> None:
        """Start the service.

        Args:
            service: Name, or folder.
            peers: Whose pipe is up.
            node: Its name or address.
            seed: Of `ctx.random`, unsigned 64 bits.
            config: Overrides of the manifest's defaults.
        """
        loaded = load_service(service)
        self._loaded = loaded
        self._stable, self._twins = (
            MemoryStore(limit_bytes=loaded.manifest.stable_bytes) for _ in range(2)
        )
        self._start: Start = lambda stable: Environment(
            loaded,
            node=address(node),
            seed=seed.to_bytes(8, "little"),
            config=config or {},
            stable=stable,
        )
        self._up: dict[Address, None] = {address(name): None for name in peers}
        self._node = address(node)
        self._streams = StreamsModel(START_S)
        self._pending: list[Effect] = []
        self.now_s = START_S
        self.restart()

    def restart(self) -> None:
        """Let the worker end and start again: only `ctx.stable` is as before.

        `Started` comes first, then each peer that is up; `started` has the effects of the former.
        """
        self._environment, self._twin = self._start(self._stable), self._start(self._twins)
        self._streams.forget()
        self.started = self.deliver(Started())
        for peer in self._up:
            _ = self.deliver(PeerChanged(peer, is_up=True))

    # -- events ---------------------------------------------------------------------------------

    def packet(self, source: str | Address, **fields: Unpack[PacketFields]) -> tuple[Effect, ...]:
        """A packet misses the decision cache."""
        return self.deliver(PacketArrived(self.make_packet(source, **fields)))

    def control(self, sender: str | Address, message: msgspec.Struct) -> tuple[Effect, ...]:
        """A control message arrives."""
        return self.deliver(ControlArrived(address(sender), message))

    def timer(self, key: bytes) -> tuple[Effect, ...]:
        """The timer `key` fires, armed or not; `advance` fires those that are due."""
        return self.deliver(TimerFired(key))

    def peer_up(self, name: str | Address) -> tuple[Effect, ...]:
        """A pipe comes up."""
        self._up[address(name)] = None
        return self.deliver(PeerChanged(address(name), is_up=True))

    def peer_down(self, name: str | Address) -> tuple[Effect, ...]:
        """A pipe goes down."""
        _ = self._up.pop(address(name), None)
        return self.deliver(PeerChanged(address(name), is_up=False))

    def resolve(self, query: Query, record: Record | None) -> tuple[Effect, ...]:
        """The directory answers; packets held for it come back."""
        return self.deliver(Resolved(query, record))

    def tally(self, name: bytes, *, packets: int, payload_bytes: int) -> tuple[Effect, ...]:
        """The counts of a tally arrive."""
        return self.deliver(TallyRead(name, packets, payload_bytes))

    def advance(self, seconds: float) -> tuple[Effect, ...]:
        """Time goes by; timers and holds end when they are due."""
        until_s = self.now_s + seconds
        effects: list[Effect] = []
        while (deadline_s := self._next_deadline_s()) <= until_s:
            self.now_s = self._streams.now_s = max(self.now_s, deadline_s)
            due = self._twice(lambda some, _: some.deliver_due(now_s=self.now_s), None)
            self._streams.take(due)
            self._streams.expire()
            effects += due + self._settle()
        self.now_s = self._streams.now_s = until_s
        return tuple(effects) + self._settle()  # meters have filled

    def deliver(self, event: Event) -> tuple[Effect, ...]:
        """Any event, and what follows from it on streams."""
        self._streams.note(event)
        return self._hand(event) + self._settle()

    # -- streams --------------------------------------------------------------------------------

    def open_stream(
        self, peer: str | Address, opening: bytes = b"", *, window: int = WINDOW_BYTES
    ) -> FarEnd:
        """Somebody opens a stream to the service, and is its other end.

        Args:
            peer: The host or node.
            opening: What it says the stream is for.
            window: Bytes that the service may write to it.
        """
        opened = self._streams.open(address(peer), opening, window=window)
        return self._far_end(opened.stream, self._settle())

    def far_end(self, stream: int) -> FarEnd:
        """Return the other end of a stream, such as one that the service asked for."""
        return self._far_end(stream, ())

    def _far_end(self, stream: int, effects: tuple[Effect, ...]) -> FarEnd:
        return FarEnd(
            self._streams,
            self._streams[stream],
            node=self._node,
            settle=self._settle,
            effects=effects,
        )

    def _settle(self) -> tuple[Effect, ...]:
        """Tell the service what there is to tell of its streams."""
        effects: tuple[Effect, ...] = ()
        while (event := self._streams.next_event()) is not None:
            effects += self._hand(event)
        return effects

    def _hand(self, event: Event) -> tuple[Effect, ...]:
        try:
            effects = self._twice(lambda some, this: some.deliver(this, now_s=self.now_s), event)
        except EiError:
            self._streams.fail(event)
            raise
        self._streams.take(effects)
        return effects

    def _next_deadline_s(self) -> float:
        deadlines_s = (self._environment.next_deadline_s(), self._streams.next_deadline_s())
        return min((each for each in deadlines_s if each is not None), default=inf)

    # -- the script -----------------------------------------------------------------------------

    def __rshift__(self, event: Event) -> Self:
        self._expect_no_more()
        self._pending = list(self.deliver(event))
        return self

    def __lshift__(self, expected: Effect | type[Effect]) -> Self:
        assert self._pending, f"expected {expected!r}, but there are no more effects"  # noqa: S101
        seen = self._pending.pop(0)
        is_it = isinstance(seen, expected) if isinstance(expected, type) else seen == expected
        assert is_it, f"expected {expected!r}\n    seen {seen!r}"  # noqa: S101
        return self

    def __bool__(self) -> bool:
        self._expect_no_more()
        return True

    def _expect_no_more(self) -> None:
        assert not self._pending, f"not expected: {self._pending!r}"  # noqa: S101

    # -- what else ------------------------------------------------------------------------------

    def make_packet(self, source: str | Address, **fields: Unpack[PacketFields]) -> Packet:
        """Make a packet; by default its source delivers it by its own pipe."""
        return Packet(
            service=fields.get("service", self._loaded.manifest.id),
            ingress=address(fields.get("ingress", source)),
            source=address(source),
            connection=Connection(fields.get("connection", 1)),
            metadata=fields.get("metadata", b""),
            payload=fields.get("payload", b""),
            traffic_class=fields.get("traffic_class", 0),
            hop_limit=fields.get("hop_limit", 64),
            protection=fields.get("protection", Protection.NONE),
            is_covered=fields.get("is_covered", True),
            is_traced=fields.get("is_traced", False),
            egress=fields.get("egress", NOWHERE),
        )

    def statistics(self) -> EnvironmentStatistics:
        """Return what the environment did and holds."""
        return self._environment.statistics()

    def _twice(self, act: Act, event: Event | None) -> tuple[Effect, ...]:
        """Do it here, and with a service that was never used before; compare."""
        loaded = load_afresh(self._loaded)
        self._twin.renew(loaded)
        again = _attempt(act, self._twin, _of_its_types(event, loaded))
        effects = _attempt(act, self._environment, _of_its_types(event, self._loaded))
        assert _plain(again) == _plain(effects), (  # noqa: S101
            f"law 1: a fresh instance answers otherwise\n    used {effects!r}\n   fresh {again!r}"
        )
        if isinstance(effects, EiError):
            raise effects.with_traceback(None) from _seen_by_its_author(
                effects, loaded.folder.resolve()
            )
        return effects


def _attempt(
    act: Act, environment: Environment, event: Event | None
) -> tuple[Effect, ...] | EiError:
    try:
        return act(environment, event)
    except EiError as error:
        return error


def _seen_by_its_author(error: EiError, folder: Path) -> BaseException | None:
    """Return the cause of an error with the lines of the service's folder, if it has any."""
    cause = error.__cause__
    lines = None if cause is None else cause.__traceback__
    while lines is not None and folder not in Path(lines.tb_frame.f_code.co_filename).parents:
        lines = lines.tb_next
    return None if cause is None or lines is None else cause.with_traceback(lines)


def _of_its_types(event: Event | None, loaded: LoadedService) -> Event | None:
    """Return the event with its message in the types of a service, found by their names.

    A service that was loaded afresh has its own, and so may a test outside its folder.
    """
    if not isinstance(event, ControlArrived):
        return event
    for kind in loaded.messages:
        is_it = kind.__name__ == type(event.message).__name__
        if is_it and issubclass(kind, msgspec.Struct):
            message = msgspec.convert(event.message, kind, from_attributes=True)
            return ControlArrived(event.sender, message)
    return event


def _plain(effects: tuple[Effect, ...] | EiError) -> bytes | type[EiError]:
    return type(effects) if isinstance(effects, EiError) else msgspec.msgpack.encode(effects)
