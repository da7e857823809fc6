import traceback
from pathlib import Path

import msgspec
import pytest

from ei.errors import ServiceError
from ei.records.keys import make_keys
from ei.sdk import (
    NOWHERE,
    AttachmentOf,
    CancelTimer,
    Count,
    DropPacket,
    HoldPacket,
    InstallDecision,
    PacketArrived,
    Protection,
    Resolve,
    SendPacket,
    SetTimer,
    TimerFired,
)
from ei.testing import Playbook, address, state

MANIFEST = """
id = 0xF0000001
name = "mine"
version = "0.0.1"
summary = "Counts what happens."
stable_bytes = 10_000
ephemeral_bytes = 10_000
drop_reasons = ["unwanted"]
counters = ["started", "joined", "ticked", "up", "down", "resolved", "tallied"]

[config]
every_s = 5.0
"""

SERVICE = """
import msgspec

from ei.sdk import *

LEAK = []

class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    every_s: float

class Join(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    group: bytes

class Mine(Service[Config]):
    __slots__ = ()

    def on_start(self, event, ctx):
        yield Count("started")
        yield SetTimer(b"tick", ctx.config.every_s)

    def on_packet(self, event, ctx):
        if event.packet.payload == b"hold":
            yield HoldPacket(AttachmentOf(event.packet.source))
        elif event.packet.payload == b"keep":
            for store in (ctx.stable, ctx.ephemeral):
                store.put(b"kept", b"")
            yield DropPacket("unwanted")
        elif event.packet.payload == b"kept":
            kept = [store.get(b"kept") is not None for store in (ctx.stable, ctx.ephemeral)]
            yield Count("ticked", 1 + 2 * kept[0] + 4 * kept[1])
            yield DropPacket("unwanted")
        elif event.packet.payload == b"raise":
            raise ValueError("asked to")
        elif event.packet.payload == b"undeclared":
            yield DropPacket("undeclared")
        elif event.packet.payload == b"leak":
            LEAK.append(1)
            yield Count("ticked", len(LEAK))
            yield DropPacket("unwanted")
        else:
            yield DropPacket("unwanted")

    def on_control(self, event, ctx):
        match event.message:
            case Join(group):
                yield Count("joined", len(group))

    def on_timer(self, event, ctx):
        yield Count("ticked")
        yield SetTimer(b"tick", ctx.config.every_s)

    def on_peer(self, event, ctx):
        yield Count("up" if event.is_up else "down", len(ctx.peers))

    def on_resolved(self, event, ctx):
        yield Count("resolved")

    def on_tally(self, event, ctx):
        yield Count("tallied", event.packets)

SERVICE = Mine
MESSAGES = Join
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(MANIFEST)
    _ = (folder / "service.py").write_text(SERVICE)
    return folder


class Join(msgspec.Struct, frozen=True, tag=True):
    """The service's message, as a test of another folder would write it."""

    group: bytes


def test_every_event_returns_what_the_service_asks_for(mine: Path) -> None:
    play = Playbook(mine, peers=["alice"])

    assert play.started == (Count("started"), SetTimer(b"tick", 5.0))
    assert play.packet("alice") == (DropPacket("unwanted"),)
    assert play.control("alice", Join(b"news")) == (Count("joined", 4),)
    assert play.timer(b"any") == (Count("ticked"), SetTimer(b"tick", 5.0))
    assert play.peer_up("bob") == (Count("up", 2),)
    assert play.peer_down("bob") == (Count("down", 1),)
    assert play.resolve(AttachmentOf(address("bob")), None) == (Count("resolved"),)
    assert play.tally(b"t", packets=3, payload_bytes=4) == (Count("tallied", 3),)


def test_time_goes_by_only_as_the_script_says(mine: Path) -> None:
    play = Playbook(mine, config={"every_s": 2.0})

    assert play.advance(1.9) == ()
    assert play.advance(4.2) == (Count("ticked"), SetTimer(b"tick", 2.0)) * 3
    assert play.now_s == 1_006.1


def test_a_restart_leaves_what_is_stable_and_the_peers_that_are_up(mine: Path) -> None:
    play = Playbook(mine, peers=["alice", "bob"])
    _ = play.packet("alice", payload=b"keep")
    _ = play.peer_down("bob")
    assert play.packet("alice", payload=b"kept")[0] == Count("ticked", 7)

    play.restart()

    assert play.started == (Count("started"), SetTimer(b"tick", 5.0))
    assert play.packet("alice", payload=b"kept")[0] == Count("ticked", 3)
    assert play.statistics().timers == 1
    assert play.peer_up("carol") == (Count("up", 2),)


def test_held_packets_come_back_in_the_script(mine: Path) -> None:
    play = Playbook(mine)
    query = AttachmentOf(address("alice"))
    assert play.packet("alice", payload=b"hold") == (HoldPacket(query),)

    assert play.resolve(query, None) == (Count("resolved"), HoldPacket(query))

    assert play.statistics().held == 1
    assert play.advance(1.0) == ()
    assert play.statistics().held == 0


def test_a_script_is_events_and_effects(mine: Path) -> None:
    play = Playbook(mine)

    assert (
        play
        >> PacketArrived(play.make_packet("alice"))
        << DropPacket("unwanted")
        >> TimerFired(b"")
        << Count
        << SetTimer(b"tick", 5.0)
    )


def test_a_script_that_expects_another_effect_fails(mine: Path) -> None:
    play = Playbook(mine)

    with pytest.raises(AssertionError, match=r"expected CancelTimer.*\n *seen Count"):
        _ = play >> TimerFired(b"") << CancelTimer(b"")
    with pytest.raises(AssertionError, match=r"expected <class .*Resolve'>\n *seen SetTimer"):
        _ = play << Resolve


def test_a_script_that_expects_too_much_or_too_little_fails(mine: Path) -> None:
    play = Playbook(mine)
    with pytest.raises(AssertionError, match="but there are no more effects"):
        _ = play >> TimerFired(b"") << Count << SetTimer << SendPacket
    with pytest.raises(AssertionError, match="not expected: "):
        assert play >> TimerFired(b"") << Count
    with pytest.raises(AssertionError, match="not expected: "):
        _ = play >> TimerFired(b"")


def test_a_service_that_breaks_its_contract_breaks_the_script(mine: Path) -> None:
    with pytest.raises(ServiceError, match=r"ValueError: asked to at service\.py:33"):
        _ = Playbook(mine).packet("alice", payload=b"raise")


def test_a_failed_script_shows_the_lines_of_the_service_and_none_of_what_ran_it(mine: Path) -> None:
    with pytest.raises(ServiceError) as failed:
        _ = Playbook(mine).packet("alice", payload=b"raise")
    with pytest.raises(ServiceError) as refused:
        _ = Playbook(mine).packet("alice", payload=b"undeclared")

    cause = failed.value.__cause__
    assert cause is not None
    assert [frame.path for frame in failed.traceback.filter(failed)] == [Path(__file__)]
    assert [frame.name for frame in traceback.extract_tb(cause.__traceback__)] == ["on_packet"]
    assert refused.value.__cause__ is None


def test_a_service_that_remembers_outside_its_stores_breaks_law_1(mine: Path) -> None:
    play = Playbook(mine)
    _ = play.packet("alice", payload=b"leak")

    with pytest.raises(AssertionError, match="law 1: a fresh instance answers otherwise"):
        _ = play.packet("alice", payload=b"leak")


def test_a_message_of_no_service_stays_what_it_is(mine: Path) -> None:
    class Shout(msgspec.Struct):
        """Nobody's."""

    assert Playbook(mine).control("alice", Shout()) == ()


def test_a_packet_has_the_fields_that_are_said(mine: Path) -> None:
    packet = Playbook(mine).make_packet(
        "alice", ingress="node", connection=5, protection=Protection.STREAMS, is_covered=False
    )

    assert (packet.source, packet.ingress) == (address("alice"), address("node"))
    assert (packet.service, packet.connection) == (0xF000_0001, 5)
    assert packet.protection is Protection.STREAMS
    assert not packet.is_covered
    assert packet.egress == NOWHERE


def test_who_signs_has_the_address_of_its_keys() -> None:
    keys = make_keys(bytes(32))
    play = Playbook("echo", node=keys.address(1), peers=[keys.address(2)])

    ping = play.make_packet(keys.address(2), payload=b"hello")

    assert play >> PacketArrived(ping) << InstallDecision << SendPacket(ping, keys.address(2))
    assert state(keys, 1, 17, b"I echo").node == address(keys.address(1))
