"""What filter promises, in Python and in WebAssembly alike."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ei.bench.module import EXAMPLES
from ei.bench.modules.filter.service import Admit, Block
from ei.sdk import (
    ControlArrived,
    Count,
    Decision,
    Discard,
    DropPacket,
    Effect,
    Forward,
    Hop,
    InstallDecision,
    RevokeDecisions,
    SendPacket,
    key_of,
)
from ei.testing import Playbook, address

PYTHON, WASM = EXAMPLES
ALICE, BOB = address("alice"), address("bob")
PAIR = BOB + ALICE

each = pytest.mark.parametrize("folder", EXAMPLES, ids=lambda path: path.name)


def say(play: Playbook, sender: str, message: Admit | Block) -> tuple[Effect, ...]:
    """Let a host say what it wants; a module in WebAssembly gets whatever msgpack says."""
    return play.deliver(ControlArrived(address(sender), message))


@each
def test_a_packet_goes_where_its_metadata_says(folder: Path) -> None:
    play = Playbook(folder, peers=["alice", "bob"])
    packet = play.make_packet("alice", metadata=BOB, payload=b"hello")

    effects = play.packet("alice", metadata=BOB, payload=b"hello")

    assert effects == (
        InstallDecision(Decision(key_of(packet), Forward((Hop(BOB),)), 10.0, PAIR)),
        SendPacket(packet, BOB),
    )


@each
@pytest.mark.parametrize("metadata", [b"", b"short", BOB, BOB + b"more"])
def test_a_host_that_is_not_there_gets_nothing(folder: Path, metadata: bytes) -> None:
    play = Playbook(folder, peers=["alice"])

    assert play.packet("alice", metadata=metadata) == (DropPacket("unknown_host"),)


@each
def test_who_is_blocked_is_refused_until_admitted(folder: Path) -> None:
    play = Playbook(folder, peers=["alice", "bob"])
    packet = play.make_packet("alice", metadata=BOB)

    assert say(play, "bob", Block(ALICE)) == (RevokeDecisions(PAIR), Count("blocks"))
    assert play.packet("alice", metadata=BOB) == (
        InstallDecision(Decision(key_of(packet), Discard("blocked"), 10.0, PAIR)),
        DropPacket("blocked"),
    )
    assert say(play, "bob", Admit(ALICE)) == (RevokeDecisions(PAIR),)
    assert SendPacket(packet, BOB) in play.packet("alice", metadata=BOB)


@pytest.mark.parametrize(
    "message", [None, 7, b"bytes", [], [1], [1, 2, 3], [2, b"x"], ["1", b"x"], [1, {}], {"a": 1}]
)
def test_in_webassembly_too_what_is_no_message_is_nothing(message: object) -> None:
    play = Playbook(WASM, peers=["alice", "bob"])

    assert play.deliver(ControlArrived(BOB, message)) == ()


@each
def test_what_one_host_wants_is_nothing_to_others(folder: Path) -> None:
    play = Playbook(folder, peers=["alice", "bob", "carol"])
    _ = say(play, "bob", Block(ALICE))

    sent = play.packet("alice", metadata=address("carol"))

    assert any(isinstance(effect, SendPacket) for effect in sent)


@pytest.mark.slow
def test_the_code_that_is_checked_in_does_what_its_source_says(
    compiled: Callable[[Path], Path],
) -> None:
    plays = [Playbook(folder, peers=["alice", "bob"]) for folder in (WASM, compiled(WASM))]

    said = [
        [
            play.packet("alice", metadata=BOB),
            say(play, "bob", Block(ALICE)),
            play.packet("alice", metadata=BOB),
            play.packet("alice", metadata=b"nobody"),
        ]
        for play in plays
    ]

    assert said[0] == said[1]
