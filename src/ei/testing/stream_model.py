"""The streams of one service, said as simply as possible: windows, reads that are asked for, ends.

What a service may not do with a stream fails the script: natively it would cost the stream.
"""

from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import assert_never

from ei.sdk import (
    Address,
    CloseStream,
    Effect,
    Event,
    OpenStream,
    ReadStream,
    SpliceStreams,
    StartTls,
    StreamClosed,
    StreamData,
    StreamEffect,
    StreamEvent,
    StreamOpened,
    StreamTarget,
    StreamWritable,
    WriteStream,
)
from ei.sdk.stages import Meter
from ei.testing.stage_model import Bucket

WINDOW_BYTES = 64 * 1024
NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class StreamModel:
    """One stream.

    Attributes:
        to: Where the service opened it to; `None` when another opened it.
        is_open: The service was told `StreamOpened`.
        closed: Reason of its end; empty while there is none.
        window: What the service may write yet, as it was told.
        inbound, outbound: Bytes that the service has not read yet, and that the other end has not.
        is_far_ended, is_near_ended: The other end, and the service, write no more.
        is_end_told: The service has read the other end's end.
        asked: The read that waits for its answer.
        partner: The stream that it is spliced to.
        meter: Whose tokens the bytes of its splice take.
        kept: The last bytes of it, at most `keep_bytes`; `None` where none are kept.
        given: How many of all its bytes the partner, or the service, has.
        site: Whose TLS ends here, empty without; its bytes are the plain ones.
        deadline_s: When it is closed unless something happens; `idle_s` after what happens.
    """

    stream: int
    to: StreamTarget | None = None
    is_open: bool = False
    closed: str = ""
    window: int = 0
    size: int = WINDOW_BYTES
    inbound: bytearray = field(default_factory=bytearray)
    outbound: bytearray = field(default_factory=bytearray)
    is_far_ended: bool = False
    is_near_ended: bool = False
    is_end_told: bool = False
    asked: ReadStream | None = None
    partner: "StreamModel | None" = None
    meter: Bucket | None = None
    kept: bytearray | None = None
    keep_bytes: int = 0
    given: int = 0
    site: str = ""
    deadline_s: float = inf
    idle_s: float = inf
    read_bytes: int = 0
    written_bytes: int = 0


class StreamsModel:
    """All streams of one service on one node.

    Attributes:
        now_s: Time of what happens; set by whoever moves it.
    """

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s
        self._streams: dict[int, StreamModel] = {}
        self._events: deque[StreamEvent] = deque()
        self._opened = 0
        self._meters: dict[bytes, Bucket] = {}

    def __getitem__(self, stream: int) -> StreamModel:
        """Return a stream, open or closed.

        Raises:
            AssertionError: There was none of that number.
        """
        assert stream in self._streams, f"there is no stream {stream}"  # noqa: S101
        return self._streams[stream]

    def next_event(self) -> StreamEvent | None:
        """Return what the service is to be told next."""
        for each in tuple(self._streams.values()):
            self._move(each)
        return self._events.popleft() if self._events else None

    def next_deadline_s(self) -> float | None:
        """Return when `expire` will close a stream, `None` for never."""
        first_s = min((each.deadline_s for each in self._streams.values()), default=inf)
        return None if first_s == inf else first_s

    def expire(self) -> None:
        """Close the streams on which nothing has happened for too long."""
        for each in tuple(self._streams.values()):
            if each.deadline_s <= self.now_s:
                partner = each.partner
                late = each if partner is None or partner.kept is None else partner
                self.close(late, "deadline")

    def forget(self) -> None:
        """Lose all: the worker has died."""
        for each in self._streams.values():
            each.closed = each.closed or "lost"
            each.deadline_s = inf
        self._events.clear()

    # -- the other ends -------------------------------------------------------------------------

    def open(self, peer: Address, opening: bytes, *, window: int) -> StreamModel:
        """Open a stream to the service."""
        self._opened += 2
        opened = StreamModel(self._opened, is_open=True, window=window, size=window)
        self._streams[opened.stream] = opened
        self._events.append(StreamOpened(opened.stream, peer, opening, window))
        return opened

    def accept(self, opened: StreamModel, peer: Address, *, window: int) -> None:
        """Let a stream be open that the service asked for."""
        assert not opened.is_open and not opened.closed, f"{opened} is not asked for"  # noqa: S101, PT018
        opened.is_open, opened.window, opened.size = True, window, window
        opened.deadline_s = inf
        self._events.append(StreamOpened(opened.stream, peer, b"", window))

    def close(self, ended: StreamModel, reason: str) -> None:
        """End a stream, and the one that it is spliced to unless that keeps."""
        partner = ended.partner
        if partner is not None and partner.kept is not None:
            self._part(partner)
            partner = None
        for each in (ended, partner):
            if each is not None and not each.closed:
                each.closed, each.asked, each.deadline_s = reason, None, inf
                if not each.is_near_ended:
                    each.outbound.clear()  # it may not arrive, so it does not
                self._events.append(
                    StreamClosed(each.stream, reason, each.read_bytes, each.written_bytes)
                )

    def _part(self, kept: StreamModel) -> None:
        """It is spliced no more, and waits for another."""
        kept.partner, kept.deadline_s = None, self.now_s + kept.idle_s

    # -- the service ----------------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """Take note of an event that a script makes up by itself.

        Raises:
            AssertionError: It cannot happen now.
        """
        match event:
            case StreamOpened(stream=stream, window=window):
                opened = self._streams.setdefault(stream, StreamModel(stream))
                opened.is_open, opened.window, opened.size = True, window, window
                opened.deadline_s = inf
            case StreamData(stream=stream, is_end=is_end):
                asked = self[stream]
                assert asked.asked is not None, f"stream {stream}: no read was asked"  # noqa: S101
                asked.asked, asked.is_end_told, asked.deadline_s = None, is_end, inf
                asked.is_far_ended = asked.is_far_ended or is_end
            case StreamWritable(stream=stream, window=window):
                self[stream].window = window
            case StreamClosed(stream=stream, reason=reason):
                ended = self[stream]
                if ended.partner is not None and ended.partner.kept is not None:
                    self._part(ended.partner)
                ended.closed, ended.asked, ended.deadline_s = reason, None, inf
            case _:
                pass

    def fail(self, event: Event) -> None:
        """Take note that nothing came of an event: that costs its stream."""
        if isinstance(event, StreamOpened | StreamData | StreamWritable):
            self.close(self[event.stream], "closed")

    def take(self, effects: tuple[Effect, ...]) -> None:
        """Carry out what the service asked for.

        Raises:
            AssertionError: It asked for what no stream can do.
        """
        for effect in effects:
            if isinstance(effect, StreamEffect):
                self._take(effect)

    def _take(self, effect: StreamEffect) -> None:  # noqa: C901 one case for each effect
        match effect:
            case OpenStream(stream=stream, to=to, deadline_s=deadline_s):
                before = self._streams.get(stream)
                assert before is None or before.closed, f"{effect}: it is in use"  # noqa: S101
                self._streams[stream] = StreamModel(
                    stream, to, deadline_s=self.now_s + deadline_s, idle_s=inf
                )
            case ReadStream(stream=stream):
                if (read := self._usable(stream, effect)) is not None:
                    assert read.asked is None, f"{effect}: a read is unanswered"  # noqa: S101
                    assert not read.is_end_told, f"{effect}: its end was read"  # noqa: S101
                    read.asked, read.idle_s = effect, effect.idle_s
                    read.deadline_s = self.now_s + effect.idle_s
            case WriteStream(stream=stream, data=data, is_end=is_end):
                if (written := self._usable(stream, effect)) is not None:
                    told = f"stream {stream}: {len(data)} B written"
                    assert not written.is_near_ended, f"{told} after its end"  # noqa: S101
                    assert len(data) <= written.window, f"{told}, window {written.window} B"  # noqa: S101
                    written.window -= len(data)
                    written.written_bytes += len(data)
                    written.outbound += data
                    written.is_near_ended = is_end
            case CloseStream(stream=stream):
                if not self[stream].closed:
                    self.close(self[stream], "closed")
            case StartTls(stream=stream, site=site):
                if (secured := self._usable(stream, effect)) is not None:
                    told = f"{effect}: stream {stream}"
                    assert not secured.site, f"{told} has TLS"  # noqa: S101
                    assert not secured.is_near_ended, f"{told} has ended"  # noqa: S101
                    secured.site = site
            case SpliceStreams(a=a, b=b):
                one, other = self._usable(a, effect), self._usable(b, effect)
                if one is not None and other is not None:
                    self._join(one, other, effect)
            case _:
                assert_never(effect)

    def _join(self, one: StreamModel, other: StreamModel, effect: SpliceStreams) -> None:
        if effect.keep_bytes and other.kept is None:
            other.kept, other.keep_bytes = bytearray(), effect.keep_bytes
            other.given = other.read_bytes
        if effect.from_byte is not None:
            first = other.read_bytes - len(other.kept or b"")
            if not first <= effect.from_byte <= other.read_bytes:
                self.close(one, "too_late")
                return
            other.given = effect.from_byte
        for each in (one, other):
            assert each.asked is None, f"{effect}: a read is unanswered"  # noqa: S101
            each.idle_s, each.deadline_s = effect.idle_s, self.now_s + effect.idle_s
        one.partner, other.partner = other, one
        one.meter = other.meter = None if effect.meter is None else self._meter(effect.meter)

    def _meter(self, meter: Meter) -> Bucket:
        now_ns = round(self.now_s * NS_PER_S)
        full = Bucket(meter.rate_bytes_per_s, meter.burst_bytes, now_ns, 0)
        full.tokens = full.most
        found = self._meters.setdefault(meter.object, full)
        found.change(now_ns, meter)
        return found

    def _usable(self, stream: int, effect: StreamEffect) -> StreamModel | None:
        """Return the stream; `None` when it is closed, which the service may not know yet."""
        used = self[stream]
        if used.closed:
            return None
        assert used.is_open, f"{effect}: stream {stream} is not open yet"  # noqa: S101
        assert used.partner is None, f"{effect}: stream {stream} is spliced"  # noqa: S101
        return used

    # -- what follows ---------------------------------------------------------------------------

    def _move(self, moved: StreamModel) -> None:
        """Let bytes go on as far as they may."""
        if moved.closed or not moved.is_open:
            return
        if moved.partner is not None:
            self._splice(moved, moved.partner)
        elif moved.asked is not None and (moved.inbound or moved.is_far_ended):
            data = bytes(moved.inbound[: moved.asked.limit])
            del moved.inbound[: len(data)]
            moved.read_bytes += len(data)
            if moved.kept is not None:  # the service has it
                moved.kept.clear()
                moved.given = moved.read_bytes
            moved.is_end_told = moved.is_far_ended and not moved.inbound
            moved.asked, moved.deadline_s = None, inf
            self._events.append(StreamData(moved.stream, data, moved.is_end_told))
        room = moved.size - len(moved.outbound)
        if moved.partner is None and moved.window < moved.size / 2 <= room and room > moved.window:
            moved.window = room
            self._events.append(StreamWritable(moved.stream, room))
        if moved.is_near_ended and moved.is_end_told and not moved.outbound:
            self._end(moved)

    def _splice(self, source: StreamModel, sink: StreamModel) -> None:
        if sink.is_near_ended:  # nobody takes what comes
            source.is_end_told = True
            return
        room = sink.size - len(sink.outbound)
        if source.meter is not None:
            source.meter.fill(round(self.now_s * NS_PER_S))
            room = min(room, source.meter.whole_bytes)
        data = _missed(source)[:room]
        source.given += len(data)
        fresh = bytes(source.inbound[: room - len(data)])
        del source.inbound[: len(fresh)]
        source.read_bytes += len(fresh)
        if source.kept is not None:
            source.given += len(fresh)
            source.kept += fresh
            del source.kept[: max(0, len(source.kept) - source.keep_bytes)]
        if source.meter is not None:
            source.meter.spend(len(data) + len(fresh))
        sink.outbound += data + fresh
        sink.written_bytes += len(data) + len(fresh)
        if source.is_far_ended and not source.inbound and not _missed(source):
            source.is_end_told = sink.is_near_ended = True

    def _end(self, ended: StreamModel) -> None:
        partner = ended.partner
        if partner is None and ended.kept is not None:
            return  # it stays for what it keeps
        if partner is None or (partner.is_near_ended and partner.is_end_told):
            self.close(partner if partner and ended.kept is not None else ended, "ended")


def _missed(source: StreamModel) -> bytes:
    """Return what the partner has not had of what came already."""
    behind = source.read_bytes - source.given
    return bytes((source.kept or b"")[-behind:]) if source.kept is not None and behind else b""
