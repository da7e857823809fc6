"""Law 6. Every packet has exactly one fate, counted by reason."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ei._core import reasons
from ei.conform.deliveries import unbalanced
from ei.sdk import (
    AttachmentOf,
    Context,
    DropPacket,
    Effect,
    HoldPacket,
    Hop,
    PacketArrived,
    PassPacket,
    SendPacket,
    forward,
    refuse,
)
from ei.testing import address
from ei.testing.crossroads import Crossroads
from ei.testing.toys import TOY_NUMBER, toy

NOBODY = address("nobody")


def whatever(  # noqa: C901 one case for each fate
    event: PacketArrived, ctx: Context[Any]
) -> Iterator[Effect]:
    """Do what the payload says: every fate that a service can give a packet."""
    packet = event.packet
    match packet.payload:
        case b"send":
            yield SendPacket(packet, packet.ingress)
        case b"cache":
            yield from forward(packet, (Hop(packet.ingress),), ttl_s=0.1)
        case b"copy":
            yield from forward(packet, (Hop(packet.ingress), Hop(address("bob"))), ttl_s=0.1)
        case b"nobody":
            yield SendPacket(packet, NOBODY)
        case b"drop":
            yield DropPacket("unwanted")
        case b"refuse":
            yield from refuse(packet, "unwanted", ttl_s=0.1)
        case b"hold" if AttachmentOf(NOBODY) not in ctx.records:
            yield HoldPacket(AttachmentOf(NOBODY), timeout_s=0.2)
        case b"wait":
            yield HoldPacket(AttachmentOf(packet.source), timeout_s=0.2)
        case b"pass":
            yield PassPacket(packet)
        case b"raise":
            raise ValueError("planted")
        case b"end":
            raise SystemExit
        case _:
            return


PAYLOADS = [
    b"send", b"cache", b"copy", b"nobody", b"drop", b"refuse", b"hold", b"wait", b"pass",
    b"raise", b"end", b"nothing",
]  # fmt: skip


def check_law_6(statistics: Mapping[str, object]) -> None:
    """The three books balance."""
    said = unbalanced(statistics)
    assert not said, f"law 6: {said}"


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(PAYLOADS),
            st.integers(1, 3),
            st.sampled_from(["exchange", "pump", "settle", "pass time", "kill"]),
        ),
        max_size=25,
    )
)
def test_b12_the_books_balance_whatever_happens(steps: list[tuple[bytes, int, str]]) -> None:
    rig = Crossroads([toy(on_packet=whatever)], ["alice", "bob"])

    for payload, connection, act in steps:
        rig.send("alice", TOY_NUMBER, payload, connection=connection)
        match act:
            case "exchange":
                _ = rig.exchange()
            case "pump":
                _ = rig.pump()
            case "settle":
                rig.settle()
            case "pass time":
                rig.pass_time(0.2)
            case _:
                rig.services.kill(rig.node, rig.now_ns, TOY_NUMBER)
        check_law_6(rig.node.statistics())
    rig.pass_time(6.0)

    check_law_6(rig.node.statistics())
    assert rig.node.statistics()["waiting"] == 0


@pytest.mark.parametrize(
    ("book", "said"),
    [
        ("received", "law 6: a received packet without a fate"),
        ("missed", "law 6: a received packet without a fate"),
        ("answered", "law 6: a missed packet without a fate"),
        ("sent", "law 6: a copy without a fate"),
    ],
)
def test_a_packet_without_a_fate_is_caught(book: str, said: str) -> None:
    rig = Crossroads([toy(on_packet=whatever)], ["alice", "bob"])
    rig.send("alice", TOY_NUMBER, b"copy")
    rig.settle()
    books = dict(rig.node.statistics())
    check_law_6(books)
    books[book] = msgspec.convert(books[book], int) + 1

    with pytest.raises(AssertionError, match=said):
        check_law_6(books)


def test_every_word_of_a_fate_is_documented() -> None:
    words = {word for word, _ in reasons()}

    assert {
        "service_error", "cpu_exceeded", "no_answer", "hold_timeout", "hold_full", "store_failed",
        "worker_lost",
    } <= words  # fmt: skip
