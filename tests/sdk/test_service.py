from collections.abc import Iterable

from ei.runtime.randomness import EventRandomness
from ei.runtime.stores import MemoryStore
from ei.sdk import (
    Address,
    AttachmentOf,
    Connection,
    Context,
    ControlArrived,
    Effect,
    NotKept,
    Packet,
    PacketArrived,
    PeerChanged,
    Resolved,
    Service,
    Started,
    StreamWritable,
    TallyRead,
    TimerFired,
)

A = Address(b"a" * 16)


class Quiet(Service[None]):
    """Says nothing."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        return ()


def context() -> Context[None]:
    return Context(
        now_s=1.0,
        unix_s=2.0,
        node=A,
        domain=7,
        peers={},
        records={},
        config=None,
        stable=MemoryStore(limit_bytes=0),
        ephemeral=MemoryStore(limit_bytes=0),
        randomness=EventRandomness(b"1"),
    )


def test_only_packets_must_be_handled() -> None:
    service, ctx = Quiet(), context()

    assert service.on_packet(PacketArrived(Packet(16, A, A, Connection(1))), ctx) == ()
    assert service.on_control(ControlArrived(A, "message"), ctx) == ()
    assert service.on_timer(TimerFired(b""), ctx) == ()
    assert service.on_peer(PeerChanged(A, is_up=True), ctx) == ()
    assert service.on_resolved(Resolved(AttachmentOf(A), None), ctx) == ()
    assert service.on_tally(TallyRead(b"t", 0, 0), ctx) == ()
    assert service.on_not_kept(NotKept(b"k", (), Address(bytes(16))), ctx) == ()
    assert service.on_stream(StreamWritable(2, 9), ctx) == ()
    assert service.on_start(Started(), ctx) == ()


def test_randomness_goes_on_within_an_event() -> None:
    ctx = context()

    assert ctx.random.random() != ctx.random.random()
