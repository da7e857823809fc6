"""Law 4. Install before send: decisions take effect before packets, so the next packet hits."""

from collections.abc import Callable

import msgspec
import pytest

from ei.runtime.batches import EffectBatch
from ei.runtime.pieces import cut
from ei.sdk import DropPacket, Effect, Hop, InstallDecision, PacketArrived, SendPacket, forward
from ei.testing.crossroads import Crossroads
from ei.testing.toys import TOY_NUMBER, toy, toy_packet

INSTALL_TAG = InstallDecision.__struct_config__.tag
Cutter = Callable[[bytes], list[bytes]]


def send_first(event: PacketArrived, _ctx: object) -> tuple[Effect, ...]:
    """Ask in the wrong order: the law is the environment's, not the service's."""
    back = Hop(event.packet.ingress)
    install, send = forward(event.packet, (back,), ttl_s=10.0)
    return (send, install)


def check_next_packet_hits(rig: Crossroads) -> None:
    """A packet that comes right behind the first one's copy is not a miss."""
    rig.send("alice", TOY_NUMBER, b"first")
    _ = rig.exchange()
    _ = rig.pump()
    rig.send("alice", TOY_NUMBER, b"second")
    _ = rig.exchange()

    assert rig.node.statistics()["missed"] == 1, "law 4: the next packet misses"


def test_the_next_packet_hits_whatever_the_order_of_effects() -> None:
    check_next_packet_hits(Crossroads([toy(on_packet=send_first)], ["alice"]))


def test_a_decision_that_is_not_installed_is_caught() -> None:
    def send_alone(event: PacketArrived, _ctx: object) -> tuple[Effect, ...]:
        return (SendPacket(event.packet, event.packet.ingress),)

    with pytest.raises(AssertionError, match="law 4: the next packet misses"):
        check_next_packet_hits(Crossroads([toy(on_packet=send_alone)], ["alice"]))


def check_cut(cutter: Cutter) -> None:
    """A reply in pieces has each event's decisions before its packets."""
    packet = toy_packet(payload=bytes(60_000)).packet
    install, *sends = forward(packet, tuple(Hop(packet.source) for _ in range(9)), ttl_s=1.0)
    answer = [1, "", [*sends, install]]
    messages = cutter(msgspec.msgpack.encode([1, 0, [answer]]))

    assert len(messages) > 1
    tags = [
        msgspec.convert(effect, list[object])[0]
        for message in messages
        for answered in msgspec.msgpack.decode(message, type=EffectBatch).answers
        for effect in answered.effects
    ]
    assert tags[0] == INSTALL_TAG, "law 4: a packet goes before the decision"


def test_a_reply_in_pieces_has_decisions_first() -> None:
    check_cut(cut)


def test_a_cutter_that_keeps_the_order_is_caught() -> None:
    def naive(reply: bytes) -> list[bytes]:
        batch = msgspec.msgpack.decode(reply, type=EffectBatch)
        (answer,) = batch.answers
        return [msgspec.msgpack.encode([0, 0, [[0, "", [effect]]]]) for effect in answer.effects]

    with pytest.raises(AssertionError, match="law 4: a packet goes before the decision"):
        check_cut(naive)


def test_refusals_hit_too() -> None:
    rig = Crossroads([toy(on_packet=lambda _event, _ctx: (DropPacket("unwanted"),))], ["alice"])

    with pytest.raises(AssertionError, match="law 4: the next packet misses"):
        check_next_packet_hits(rig)
