"""The execution environment: runs one service, batch by batch, each batch one commit.

Pure: time comes in, bytes come in, bytes come out. `worker.py` puts a process around it,
`inprocess.py` a simulation.

A batch's walk: its events run one after the other, each undone alone if it fails. The reply is
encoded, then the stable store commits, then the reply is returned: nothing leaves before what it
acknowledges is safe (law 3). If the commit fails, all that the batch did is undone, and the reply
says so of each of its events.
"""

from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any, assert_never

import msgspec

from ei.errors import LocalError, PeerError, ServiceError
from ei.runtime.admission import Admission
from ei.runtime.batches import AnyAnswer, ControlReceived, Item, PeersMeasured, QueryResolved
from ei.runtime.codec import Codec
from ei.runtime.faults import FaultLog
from ei.runtime.holds import Holds
from ei.runtime.instance import Instance, counted
from ei.runtime.limits import EventClock, VirtualCost
from ei.runtime.loader import LoadedService
from ei.runtime.open_streams import OpenStreams
from ei.runtime.orders import NOTHING, Orders
from ei.runtime.replies import Replies, Stray
from ei.runtime.resolved import ResolvedRecords
from ei.runtime.state import digest_of
from ei.runtime.statistics import EnvironmentStatistics, statistics_of
from ei.runtime.stores import MemoryStore, RefusedError, TransactionalStore
from ei.runtime.timers import Timers
from ei.runtime.undo import UndoLog
from ei.sdk import (
    Address,
    Context,
    Effect,
    Event,
    NotKept,
    PacketArrived,
    PeerChanged,
    Resolved,
    Started,
    StreamClosed,
    StreamData,
    StreamOpened,
    StreamWritable,
    TallyRead,
    TimerFired,
)
from ei.sdk.tiers import TIERS

MAX_TIMERS_AT_ONCE = 64
RETRY_AFTER_S = 1.0
"""After timers whose commit failed: how long until they are tried again."""

SLACK_S = 1e-6
"""Deadlines so near count as due: clocks in nanoseconds and in seconds round differently."""


class Environment:
    """Hosts one instance of a service, fresh: no timers, an empty ephemeral store."""

    def __init__(  # noqa: PLR0913 each is a seam
        self,
        loaded: LoadedService,
        *,
        node: Address,
        seed: bytes,
        config: Mapping[str, object] = MappingProxyType({}),
        stable: TransactionalStore | None = None,
        cost: VirtualCost | None = None,
        peers: Mapping[Address, float] = MappingProxyType({}),
        streams: int = 1,
    ) -> None:
        """Set it up; the first event that comes is preceded by `Started`.

        Args:
            loaded: The service.
            node: Address of the node it runs on.
            seed: Of `ctx.random`, 1 to 64 bytes.
            config: Overrides of the manifest's defaults.
            stable: Kept by the caller across restarts; `None` makes one in memory.
            cost: Virtual costs in place of a real CPU limit, for simulation.
            peers: Those that are up, as `ctx.peers` says.
            streams: The origin that has the streams, behind those of the datapath's threads.

        Raises:
            ConfigError: The configuration does not fit the service.
        """
        manifest = loaded.manifest
        self._name = manifest.name
        self._overrides = config
        self._undo = UndoLog()
        self._timers = Timers(self._undo, TIERS[manifest.tier].timers)
        self._holds = Holds(self._undo)
        self._orders = Orders(
            Admission(manifest, loaded.messages),
            undo=self._undo,
            timers=self._timers,
            holds=self._holds,
            streams=OpenStreams(self._undo, TIERS[manifest.tier].streams),
        )
        self._instance = Instance(
            loaded, undo=self._undo, orders=self._orders, seed=seed, cost=cost
        )
        self._codec = Codec(loaded.messages)
        self._stable = MemoryStore(limit_bytes=manifest.stable_bytes) if stable is None else stable
        self._ephemeral = MemoryStore(limit_bytes=manifest.ephemeral_bytes)
        self._records = ResolvedRecords()
        self._peers = dict(peers)
        # A store without room is always empty: nothing begins and nothing is kept.
        self._has_stable = stable is not None or manifest.stable_bytes > 0
        self._has_ephemeral = manifest.ephemeral_bytes > 0
        self._context: Context[Any] = Context(
            now_s=0.0,
            unix_s=0.0,
            node=node,
            domain=int.from_bytes(node[2:6], "big"),
            peers=MappingProxyType(self._peers),
            records=self._records,
            config=loaded.parse_config(config),
            stable=self._stable,
            ephemeral=self._ephemeral,
            randomness=self._instance.randomness,
        )
        self._is_started = False
        self._started: AnyAnswer = NOTHING
        self._retry_s = 0.0
        self._replies = Replies(self._orders.pushed_out, self._orders.to_streams, streams)

    def __repr__(self) -> str:
        instance = self._instance
        return f"<Environment of {self._name}: {instance.number} events, {instance.faults.counts}>"

    @property
    def clock(self) -> EventClock:
        """Which event is being handled: the worker's timer of CPU time ticks it."""
        return self._instance.clock

    @property
    def faults(self) -> FaultLog:
        """Events that came to nothing."""
        return self._instance.faults

    # -- bytes ----------------------------------------------------------------------------------

    def deliver_batch(self, batch: bytes | memoryview, *, origin: int = 0) -> bytes:
        """Handle an `EventBatch`; return the `EffectBatch` that answers it.

        Args:
            batch: As `ei.runtime.batches` describes.
            origin: Which thread it came from. Answers that another one waits for, since its
                packets were held or it has the streams, are in `take_strays`.

        Raises:
            LocalError: It is no `EventBatch`. Nothing was changed.
        """
        events = self._codec.events(batch)
        self._replies.epochs[origin] = events.epoch
        self._begin(events.now_s, events.unix_s)
        if not self._is_started:
            self._start_before(events.items[0])
        run, context = self._instance.run, self._context
        answers: list[AnyAnswer] = []
        for item in events.items:
            if isinstance(item, PacketArrived):
                answers.append(run(item, context, origin, 0))
            else:
                answers.append(self._answer(item, origin))
        reply, strays = self._replies.encode(self._codec, events.sequence, origin, answers)
        # What changes nothing, as most packets, needs no commit, unless a store has a say in it.
        if (self._undo.steps or self._has_stable) and (word := self._commit()):
            return self._codec.refusal(events, word)
        if strays:
            self._replies.keep(strays)
        return reply

    def fire_due(self, now_s: float, unix_s: float) -> bytes | None:
        """Fire timers and end holds that are due, at most 64 timers at a time.

        Returns:
            An `EffectBatch` for origin 0, `None` when there is nothing to say to it.
        """
        if not self.is_due(now_s):
            return None
        self._begin(now_s, unix_s)
        self._fire(now_s + SLACK_S)
        has_reply = 0 in self._replies.extras
        reply, strays = self._replies.encode(self._codec, 0, 0, [])
        if self._commit():
            self._retry_s = now_s + RETRY_AFTER_S
            return None
        self._replies.keep(strays)
        return reply if has_reply else None

    def take_strays(self) -> list[Stray]:
        """Return the `EffectBatch`es that other origins wait for, with their origin."""
        return self._replies.take_strays()

    def abandon(self) -> list[Stray]:
        """Give up what waits; it is not to be used any more. Return what each origin is told."""
        self._end_holds(inf)
        reply, strays = self._replies.encode(self._codec, 0, 0, [])
        return [(0, reply), *strays]

    def next_deadline_s(self) -> float | None:
        """Return when `fire_due` will have something to do, `None` for never."""
        timer_s, hold_s = self._timers.next_deadline_s(), self._holds.next_deadline_s()
        if timer_s is None and hold_s is None:
            return None
        soonest_s = min(each_s for each_s in (timer_s, hold_s) if each_s is not None)
        return max(self._retry_s, soonest_s)

    def is_due(self, now_s: float) -> bool:
        """Whether `fire_due` has something to do."""
        deadline_s = self.next_deadline_s()
        return deadline_s is not None and deadline_s <= now_s + SLACK_S

    # -- values ---------------------------------------------------------------------------------

    def deliver(
        self, event: Event, *, now_s: float, unix_s: float | None = None
    ) -> tuple[Effect, ...]:
        """Handle one event as a batch of its own; return all that the service asked for.

        What follows from it is included: `Resolved` brings held packets back.

        Raises:
            ServiceError: The service broke its contract; nothing was changed. Or the event's packet
                is none that a datapath would hand over.
            LocalError: The stable store could not be written; nothing was changed.
        """
        if isinstance(event, PacketArrived):
            # As reading a batch does: of what arrived, nothing is checked again.
            self._orders.admission.check_packet(event.packet, None)

        def act() -> None:
            self._start_before(event)
            _ = self._handle(event, 0)

        return self._watch(act, now_s, unix_s)

    def deliver_due(self, *, now_s: float, unix_s: float | None = None) -> tuple[Effect, ...]:
        """As `deliver`, of the timers and holds that are due."""
        return self._watch(lambda: self._fire(now_s + SLACK_S), now_s, unix_s)

    def renew(self, loaded: LoadedService) -> None:
        """Go on with a new instance of the service. By law 1, nobody can tell."""
        self._instance.renew(loaded)
        self._orders.admission = Admission(loaded.manifest, loaded.messages)
        self._codec = Codec(loaded.messages)
        self._context = msgspec.structs.replace(
            self._context, config=loaded.parse_config(self._overrides)
        )

    def statistics(self) -> EnvironmentStatistics:
        """Return what it did and holds."""
        return statistics_of(
            self._instance, self._timers, self._holds, self._stable, self._ephemeral
        )

    def state_digest(self) -> str:
        """Return the digest of all that it keeps for the next event."""
        return digest_of(self._stable, self._ephemeral, self._timers, self._holds)

    # -- a batch --------------------------------------------------------------------------------

    def _begin(self, now_s: float, unix_s: float) -> None:
        """Open a batch. Time never goes back, whichever thread it comes from."""
        before = self._context
        now_s = now_s if now_s > before.now_s else before.now_s  # noqa: FURB136 takes a third of it
        # By name it would take three times as long, and each batch comes by here.
        self._context = Context(
            now_s,
            unix_s,
            before.node,
            before.domain,
            before.peers,
            before.records,
            before.config,
            before.stable,
            before.ephemeral,
            before.randomness,
        )
        self._orders.now_s = self._records.now_s = now_s
        if self._has_ephemeral:
            self._ephemeral.begin(now_s, self._undo)
        if self._has_stable:
            self._stable.begin(unix_s, self._undo)

    def _fire(self, due_s: float) -> None:
        self._end_holds(due_s)
        for _ in range(MAX_TIMERS_AT_ONCE):
            key = self._timers.take_due(due_s)
            if key is None:
                break
            self._replies.add(0, self._run(TimerFired(key)))

    def _end_holds(self, due_s: float) -> None:
        for held in self._holds.take_expired(due_s):
            self._replies.drop(held.origin, "hold_timeout")

    def _watch(
        self, act: Callable[[], object], now_s: float, unix_s: float | None
    ) -> tuple[Effect, ...]:
        """Let `act` happen as a batch; return the effects as the service yielded them."""
        self._begin(now_s, now_s if unix_s is None else unix_s)
        trail = self._instance.trail = []
        _ = act()
        self._instance.trail = None
        self._replies.forget_extras()
        for _, fault, error in trail:
            if fault is not None:
                self._undo.undo_to(0)
                raise ServiceError(str(fault)) from error
        if self._commit():
            raise LocalError(self._instance.faults.newest[-1].cause)
        return tuple(effect for effects, _, _ in trail for effect in effects)

    def _commit(self) -> str:
        """Keep what the batch did; return why not, as a word, when nothing of it was kept."""
        if self._has_stable:
            try:
                self._stable.commit()
            except LocalError as error:
                self._undo.undo_to(0)
                word = error.word if isinstance(error, RefusedError) else "store_failed"
                _ = self._instance.faults.add(word, "commit", error)
                return word
        if self._has_ephemeral:
            self._ephemeral.commit()
        self._undo.clear()
        return ""

    # -- an event -------------------------------------------------------------------------------

    def _start_before(self, first: Item | Event) -> None:
        """Let `Started` be the first event of all, whether it is the one that comes or not."""
        if not self._is_started:
            self._is_started = True
            answer = self._run(Started())
            if isinstance(first, Started):
                self._started = answer
            else:
                self._replies.add(0, answer)

    def _answer(self, item: Item, origin: int) -> AnyAnswer:
        match item:
            case ControlReceived():
                try:
                    event = self._codec.control(item)
                except PeerError as error:
                    _ = self._instance.faults.add("bad_control", "ControlArrived", error)
                    return counted("bad_control")
                return self._handle(event, origin)
            case QueryResolved():
                return self._handle(self._codec.resolved(item), origin)
            case PeersMeasured(rtts_s=rtts_s):
                self._peers.update(rtts_s)
                return NOTHING
            case PacketArrived() | PeerChanged() | TallyRead() | NotKept() | Started():
                return self._handle(item, origin)
            case StreamOpened() | StreamData() | StreamWritable() | StreamClosed():
                # Who has the streams is told of streams alone; the rest is the datapath's.
                self._replies.add(0, self._handle(item, 0))
                return NOTHING
            case _:
                assert_never(item)

    def _handle(self, event: Event, origin: int) -> AnyAnswer:
        """Run an event, with what follows from it."""
        match event:
            case Started():
                # Handled before; each datapath thread may say it, and the first has the answer.
                answer, self._started = self._started, NOTHING
                return answer
            case PeerChanged(peer=peer, is_up=True):
                _ = self._peers.setdefault(peer, 0.0)
            case PeerChanged(peer=peer):
                _ = self._peers.pop(peer, None)
            case Resolved(query=query, record=record):
                self._records.add(query, record)
                answer = self._run(event, origin)
                for held in self._holds.release(query):
                    again = self._run(held.event, held.origin, held.times)
                    self._replies.add(held.origin, again)
                return answer
            case _:
                pass
        return self._run(event, origin)

    def _run(self, event: Event, origin: int = 0, times: int = 0) -> AnyAnswer:
        return self._instance.run(event, self._context, origin, times)
