"""A node that drains tells all, waits to be left, and then for its last packet; not for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ei.attachment import ATTACHMENT, AttachmentMessage, Moved, decode
from ei.attachment import Draining as DrainingMessage
from ei.errors import ConflictError
from ei.node.draining import QUIET_S, Draining
from ei.sdk import Address

NODE, ALICE, BOB = (Address(letter * 16) for letter in (b"n", b"a", b"b"))
TOLD = DrainingMessage(10_000)


class Remembering:
    """Keeps what the datapath is asked, by peer."""

    def __init__(self) -> None:
        self.sent: list[tuple[Address, AttachmentMessage]] = []
        self.avoided: list[tuple[Address, bool]] = []
        self.is_full = False

    def send_control(self, peer: bytes, service: int, message: bytes) -> None:
        assert service == ATTACHMENT
        if self.is_full:
            raise ValueError("1 MiB waits for the pipe")
        self.sent.append((Address(peer), decode(message)))

    def set_peer_avoided(self, address: bytes, *, is_avoided: bool) -> None:
        self.avoided.append((Address(address), is_avoided))


def begun(*, grace_s: float = 10.0, spread_s: float = 0.0) -> tuple[Draining, Remembering]:
    control = Remembering()
    draining = Draining(control)
    peers = {ALICE: "host", NODE: "node", BOB: "host"}
    draining.begin(0.0, grace_s=grace_s, spread_s=spread_s, peers=peers)
    return draining, control


def test_all_are_told_at_once_nodes_first() -> None:
    _, control = begun()

    assert control.sent == [(NODE, TOLD), (ALICE, TOLD), (BOB, TOLD)]


def test_hosts_are_told_one_after_another_within_the_spread() -> None:
    draining, control = begun(spread_s=4.0)
    assert control.sent == [(NODE, TOLD), (ALICE, TOLD)]

    _ = draining.step(3.9, carried=0, waiting=0)
    assert len(control.sent) == 2
    _ = draining.step(4.0, carried=0, waiting=0)

    assert control.sent[2:] == [(BOB, TOLD)]


def test_it_is_over_when_all_have_moved_and_nothing_passed_for_a_moment() -> None:
    draining, _ = begun()
    for peer in (ALICE, BOB, NODE):
        assert not draining.step(1.0, carried=5, waiting=0)
        draining.take(peer, Moved())

    assert not draining.step(1.0 + QUIET_S / 2, carried=6, waiting=0)
    assert not draining.step(1.0 + QUIET_S, carried=6, waiting=0)
    assert draining.step(1.0 + QUIET_S * 1.5, carried=6, waiting=0)

    assert draining.outcome is not None
    assert (draining.outcome.moved, draining.outcome.left) == (3, ())


def test_who_insists_on_a_node_that_all_have_left_holds_it_up_for_a_second() -> None:
    draining, _ = begun()
    for peer in (ALICE, BOB, NODE):
        draining.take(peer, Moved())

    steps = [draining.step(at / 10, carried=at, waiting=0) for at in range(11)]

    assert steps == [False] * 10 + [True]
    assert draining.outcome is not None
    assert draining.outcome.left == ()


def test_what_waits_inside_is_waited_for() -> None:
    draining, _ = begun()
    for peer in (ALICE, BOB, NODE):
        draining.take(peer, Moved())

    assert not draining.step(1.0, carried=0, waiting=1)
    assert not draining.step(2.0, carried=0, waiting=1)
    assert draining.step(2.0 + QUIET_S, carried=0, waiting=0)


def test_a_peer_that_does_not_move_is_left_when_the_grace_is_over() -> None:
    draining, _ = begun(grace_s=10.0)
    draining.take(ALICE, Moved())
    draining.take(NODE, Moved())
    assert not draining.step(9.9, carried=0, waiting=0)

    assert draining.step(10.0, carried=0, waiting=2)

    assert draining.outcome is not None
    assert (draining.outcome.left, draining.outcome.waiting) == ((BOB,), 2)


def test_who_comes_while_it_drains_is_told_at_once() -> None:
    draining, control = begun()
    newcomer = Address(b"x" * 16)

    draining.take_move(newcomer, is_up=True)

    assert control.sent[-1] == (newcomer, TOLD)
    status = draining.status()
    assert status is not None
    assert (status.peers, status.using) == (4, 4)


def test_who_is_gone_is_not_waited_for() -> None:
    draining, _ = begun()
    draining.take(NODE, Moved())
    draining.take(ALICE, Moved())

    draining.take_move(BOB, is_up=False)

    _ = draining.step(0.0, carried=0, waiting=0)
    assert draining.step(QUIET_S, carried=0, waiting=0)


def test_a_drain_that_runs_is_not_begun_again() -> None:
    draining, _ = begun()

    with pytest.raises(ConflictError, match="drains already"):
        draining.begin(1.0, grace_s=1.0, spread_s=0.0, peers={})


def test_a_peer_that_drains_is_avoided_and_answered() -> None:
    control = Remembering()
    draining = Draining(control)

    draining.take(NODE, TOLD)

    assert control.avoided == [(NODE, True)]
    assert control.sent == [(NODE, Moved())]
    assert draining.avoided == {NODE}
    assert not draining.is_on


def test_a_peer_that_comes_back_is_avoided_no_more() -> None:
    draining = Draining(Remembering())
    draining.take(NODE, TOLD)

    draining.take_move(NODE, is_up=False)
    draining.take_move(NODE, is_up=True)

    assert draining.avoided == frozenset()


def test_a_pipe_that_takes_no_message_ends_with_the_grace() -> None:
    control = Remembering()
    control.is_full = True
    draining = Draining(control)

    draining.begin(0.0, grace_s=1.0, spread_s=0.0, peers={NODE: "node"})

    assert draining.step(1.0, carried=0, waiting=0)


def test_nodes_that_answer_what_they_were_not_asked_count_for_nothing() -> None:
    draining = Draining(Remembering())

    draining.take(NODE, Moved())

    assert draining.status() is None
    assert not draining.step(9.0, carried=0, waiting=0)


@given(
    some.lists(
        some.tuples(
            some.sampled_from(["moved", "up", "down", "drains"]),
            some.sampled_from([NODE, ALICE, BOB]),
        ),
        max_size=20,
    )
)
def test_whatever_peers_do_it_ends_with_the_grace_and_no_sooner_while_one_uses_it(
    moves: list[tuple[str, Address]],
) -> None:
    draining, _ = begun(grace_s=10.0, spread_s=1.0)

    for place, (what, peer) in enumerate(moves):
        match what:
            case "moved":
                draining.take(peer, Moved())
            case "drains":
                draining.take(peer, TOLD)
            case _:
                draining.take_move(peer, is_up=what == "up")
        status = draining.status()
        assert status is not None
        if draining.step(place / 4, carried=0, waiting=0):
            assert status.using == 0
            break

    assert draining.step(11.0, carried=1, waiting=0)
