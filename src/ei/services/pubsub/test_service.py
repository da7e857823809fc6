"""What pub/sub promises of one node."""

from collections.abc import Iterable, Sequence

import msgspec
import pytest

from ei.sdk import (
    AtNode,
    CloseStream,
    Effect,
    Forward,
    Hop,
    InstallDecision,
    OpenStream,
    RevokeDecisions,
    SendControl,
    SendPacket,
    SpliceStreams,
)
from ei.services.pubsub.live import tag_of
from ei.services.pubsub.messages import (
    Again,
    Asked,
    Caught,
    Ended,
    Follow,
    Following,
    Forget,
    Forgotten,
    Hello,
    Keep,
    More,
    Record,
    Said,
    Taken,
    Told,
    Unfollow,
    Want,
    Wanted,
    Welcome,
    Wish,
    cut_frame,
    record,
    said,
    write_frame,
    write_payload,
)
from ei.testing import Playbook, address
from ei.testing.far_ends import FarEnd

ALICE, BOB, EAST, SELF = (address(name) for name in ("alice", "bob", "east", "self"))
EXCHANGE = {"nodes": ["fd35:0:1:7365:6c66::", "fd35:0:1:6561:7374::"]}
"""`self` and `east`."""


def frames(end: FarEnd) -> list[Said]:
    """Return what a stream has said since it was asked last."""
    received, position = b"", 0
    while piece := end.read():
        received += piece
    found: list[Said] = []
    while (cut := cut_frame(received, position)) is not None:
        found.append(said.decode(cut[0]))
        position = cut[1]
    assert position == len(received)
    return [each for each in found if not isinstance(each, Following)]


def ask(end: FarEnd, *messages: Asked) -> tuple[Effect, ...]:
    """Say something on a stream."""
    return end.write(b"".join(map(write_frame, messages)))


def told(found: Iterable[Said]) -> list[bytes]:
    """Return the data of messages."""
    return [record.decode(each.record).data for each in found if isinstance(each, Told)]


def log_of(play: Playbook, name: str = "alice", hello: Hello | None = None) -> FarEnd:
    """Open a stream, and hear the welcome."""
    opening = b"" if hello is None else msgspec.msgpack.encode(hello)
    end = play.open_stream(name, opening)
    assert isinstance(frames(end)[0], Welcome)
    return end


def hops_of(effects: Sequence[Effect]) -> list[Hop]:
    """Return the hops of the one decision there is."""
    (installed,) = [each for each in effects if isinstance(each, InstallDecision)]
    action = installed.decision.action
    return list(action.hops) if isinstance(action, Forward) else []


# -- live -----------------------------------------------------------------------------------------


def test_a_packet_is_copied_to_all_who_want_its_subject() -> None:
    play = Playbook("pubsub", peers=["alice", "bob", "carol"])
    _ = play.control("bob", Want(1, is_whole=True, added=(Wish("a/+"),)))
    _ = play.control("carol", Want(1, is_whole=True, added=(Wish("b"),)))

    effects = play.packet("alice", metadata=b"\x01a/b", payload=write_payload(1, b"", b"hello"))

    assert hops_of(effects) == [Hop(BOB)]
    assert [each.to for each in effects if isinstance(each, SendPacket)] == [BOB]


def test_what_is_wanted_ends_what_was_decided_without_it() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])

    first = play.packet("alice", metadata=b"\x01a/b")
    wanted = play.control("bob", Want(1, is_whole=False, added=(Wish("a/#"),)))

    (installed,) = [each for each in first if isinstance(each, InstallDecision)]
    assert RevokeDecisions(tag=installed.decision.tag) in wanted
    assert SendControl(Wanted(1), to=BOB) in wanted


def test_a_wildcard_ends_the_decisions_of_the_subjects_that_it_meets() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    for subject in ("a/b", "c/b", "c/d"):
        _ = play.packet("alice", metadata=b"\x01" + subject.encode())

    wanted = play.control("bob", Want(1, is_whole=False, added=(Wish("+/b"),)))

    stale = {each for each in wanted if isinstance(each, RevokeDecisions)}
    assert stale == {RevokeDecisions(tag_of("a/b")), RevokeDecisions(tag_of("c/b"))}


def test_a_host_that_is_gone_gets_nothing_more() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    _ = play.control("bob", Want(1, is_whole=True, added=(Wish("a"),)))

    _ = play.peer_down("bob")

    assert hops_of(play.packet("alice", metadata=b"\x01a")) == []


def test_all_that_is_wanted_replaces_what_was_wanted_before() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    _ = play.control("bob", Want(1, is_whole=True, added=(Wish("a"), Wish("b"))))
    _ = play.packet("alice", metadata=b"\x01a")

    again = play.control("bob", Want(2, is_whole=True, added=(Wish("b"),)))

    assert len([each for each in again if isinstance(each, RevokeDecisions)]) == 1
    assert hops_of(play.packet("alice", metadata=b"\x01a")) == []
    assert hops_of(play.packet("alice", metadata=b"\x01b")) == [Hop(BOB)]


def test_more_wishes_than_a_host_may_have_are_refused() -> None:
    play = Playbook("pubsub", peers=["bob"], config={"wishes_per_host": 1})

    effects = play.control("bob", Want(1, is_whole=True, added=(Wish("a"), Wish("b"), Wish("#x"))))

    assert SendControl(Wanted(1, refused=2), to=BOB) in effects


def test_deep_filters_of_a_host_have_a_limit_of_bytes() -> None:
    play = Playbook("pubsub", peers=["bob"], config={"wish_bytes_per_host": 9})

    full = play.control("bob", Want(1, is_whole=True, added=(Wish("a/b/c"), Wish("d"))))
    after = play.control("bob", Want(2, is_whole=True, added=(Wish("d"),)))

    assert SendControl(Wanted(1, refused=1), to=BOB) in full
    assert SendControl(Wanted(2), to=BOB) in after


def test_between_nodes_one_copy_goes_to_each_and_none_goes_on() -> None:
    play = Playbook("pubsub", peers=["alice", "bob", "east"], config=EXCHANGE)
    _ = play.control("bob", Want(1, is_whole=True, added=(Wish("a"),)))
    _ = play.control("east", Want(1, is_whole=True, added=(Wish("a"),)))

    here = play.packet("alice", metadata=b"\x01a")
    there = play.packet("carol", ingress="east", metadata=b"\x02a")

    assert hops_of(here) == [Hop(BOB), Hop(EAST, b"\x02a")]
    assert hops_of(there) == [Hop(BOB, b"\x01a")]


def test_a_host_cannot_pass_for_a_node() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"], config=EXCHANGE)
    _ = play.control("bob", Want(1, is_whole=True, added=(Wish("a"),)))

    assert hops_of(play.packet("alice", metadata=b"\x02a")) == []


def test_nodes_of_the_exchange_tell_each_other_what_their_hosts_want() -> None:
    play = Playbook("pubsub", peers=["bob"], config=EXCHANGE)
    _ = play.control("bob", Want(1, is_whole=True, added=(Wish("a"),)))

    up = play.peer_up("east")
    more = play.control("bob", Want(2, is_whole=False, added=(Wish("b"),)))
    less = play.peer_down("bob")

    assert SendControl(Want(0, is_whole=True, added=(Wish("a"),)), to=EAST) in up
    assert SendControl(Want(0, is_whole=False, added=(Wish("b"),)), to=EAST) in more
    assert SendControl(Want(0, is_whole=False, removed=(Wish("a"), Wish("b"))), to=EAST) in less


def test_after_a_restart_the_peers_are_asked_what_they_want() -> None:
    play = Playbook("pubsub", peers=["bob"])

    play.restart()

    assert play.started == ()  # no peer is up yet
    assert SendControl(Again(), to=BOB) not in play.started


# -- kept -----------------------------------------------------------------------------------------


def test_what_is_kept_is_acknowledged_and_told_to_who_follows() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    _ = ask(bob, Follow(7, "a/#", credit=10))

    _ = ask(alice, Keep(1, "a/b", b"one"), Keep(2, "c", b"other"), Keep(3, "a", b"two"))

    assert frames(alice) == [Taken(1, 0), Taken(2, 1), Taken(3, 2)]
    found = frames(bob)
    assert told(found) == [b"one", b"two"]
    assert [each.position for each in found if isinstance(each, Told)] == [0, 2]


def test_who_published_is_proven() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    _ = ask(bob, Follow(7, "#", credit=10))

    _ = ask(alice, Keep(1, "a", b"one", b"extra"))

    (message,) = frames(bob)
    assert isinstance(message, Told)
    assert record.decode(message.record) == Record("a", ALICE, play.now_s, b"one", b"extra")


def test_without_credit_messages_wait_in_the_log() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    _ = ask(bob, Follow(7, "a", credit=1))

    _ = ask(alice, *(Keep(number, "a", b"%d" % number) for number in range(3)))
    first = told(frames(bob))
    _ = ask(bob, More(7, 5))

    assert first == [b"0"]
    assert told(frames(bob)) == [b"1", b"2"]


def test_b8_a_full_stream_holds_up_nobody_else() -> None:
    play = Playbook("pubsub", peers=["alice", "bob", "carol"])
    alice, carol = log_of(play), log_of(play, "carol")
    bob = play.open_stream("bob", window=1_000)
    for end in (bob, carol):
        _ = ask(end, Follow(7, "a", credit=1_000))

    _ = ask(alice, *(Keep(number, "a", b"x" * 500) for number in range(20)))

    assert len(told(frames(carol))) == 20
    received = b""
    while piece := bob.read():
        received += piece
    assert received.count(b"x" * 500) == 20


@pytest.mark.parametrize(("policy", "kept"), [(0, [3, 4]), (1, [1, 2])])
def test_b8_a_queue_that_is_full_drops_what_was_declared(policy: int, kept: list[int]) -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    _ = ask(bob, Follow(7, "a", credit=1, queue=2, policy=policy))
    _ = ask(alice, *(Keep(number, "a", b"%d" % number) for number in range(5)))
    _ = frames(bob)

    _ = ask(bob, More(7, 10))
    found = frames(bob)
    _ = ask(alice, Keep(9, "a", b"9"))
    found += frames(bob)

    assert told(found) == [b"%d" % number for number in [*kept, 9]]
    assert sum(each.lost for each in found if isinstance(each, Told)) == 2


def test_a_queue_that_is_full_ends_who_declared_that() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    _ = ask(bob, Follow(7, "a", credit=0, queue=2, policy=2))

    _ = ask(alice, *(Keep(number, "a", b"") for number in range(5)))

    assert frames(bob) == [Ended(7, "slow_consumer")]


def test_a_late_one_gets_what_was_retained_and_the_history() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice = log_of(play)
    _ = ask(
        alice,
        Keep(1, "a/b", b"old", is_retained=True),
        Keep(2, "a/b", b"new", is_retained=True),
        Keep(3, "a/c", b"gone", is_retained=True),
        Keep(4, "a/c", b"", is_retained=True),
        Keep(5, "b", b"other"),
    )
    bob = log_of(play, "bob")

    _ = ask(bob, Follow(7, "a/#", credit=10, since_s=-1.0, is_retained=True))

    found = frames(bob)
    assert told(found) == [b"new", b"old", b"new", b"gone", b""]
    assert found[1] == Caught(7)


def test_history_goes_back_as_far_as_asked() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice = log_of(play)
    for number in range(4):
        _ = ask(alice, Keep(number, "a", b"%d" % number))
        _ = play.advance(10.0)
    bob = log_of(play, "bob")

    _ = ask(bob, Follow(7, "a", credit=10, since_s=25.0))

    assert told(frames(bob)) == [b"2", b"3"]


def test_a_place_survives_the_restart_of_the_worker() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    _ = ask(bob, Follow(7, "a", credit=10, name="mine"))
    _ = ask(alice, *(Keep(number, "a", b"%d" % number) for number in range(3)))
    _ = ask(bob, More(7, 0, done=0))

    play.restart()
    bob = log_of(play, "bob")
    _ = ask(bob, Follow(1, "a", credit=10, name="mine"))

    assert told(frames(bob)) == [b"1", b"2"]


def test_a_place_that_is_forgotten_begins_anew() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    _ = ask(bob, Follow(7, "a", credit=10, name="mine"), Unfollow(7))
    _ = ask(alice, Keep(1, "a", b"one"))

    _ = ask(bob, Forget("mine"), Follow(8, "a", credit=10, name="mine"))

    assert told(frames(bob)) == []


def test_the_same_message_again_is_taken_once() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    _ = ask(bob, Follow(7, "a", credit=10))

    _ = ask(alice, *(Keep(each, "a", b"one", publisher="p", number=5) for each in (1, 2)))

    assert frames(alice) == [Taken(1, 0), Taken(2, 0)]
    assert told(frames(bob)) == [b"one"]


@pytest.mark.parametrize(
    ("message", "word"),
    [
        (Keep(1, "a/+", b""), "bad_subject"),
        (Keep(1, "a", b"x" * 59_000, b"y" * 1_001), "too_long"),
    ],
)
def test_what_cannot_be_kept_is_refused(message: Keep, word: str) -> None:
    play = Playbook("pubsub", peers=["alice"])
    alice = log_of(play)

    _ = ask(alice, message)

    assert frames(alice) == [Taken(1, -1, word)]


@pytest.mark.parametrize(
    ("config", "messages", "word"),
    [
        (
            {"retained_bytes": 100},
            [Keep(n, "a" * n, b"x" * 60, is_retained=True) for n in (1, 2)],
            "too_much_retained",
        ),
        (
            {"publishers": 1},
            [Keep(n, "a", b"", publisher="p" * n, number=1) for n in (1, 2)],
            "too_many_publishers",
        ),
    ],
)
def test_what_would_fill_the_store_is_refused(
    config: dict[str, object], messages: list[Keep], word: str
) -> None:
    play = Playbook("pubsub", peers=["alice"], config=config)
    alice = log_of(play)

    _ = ask(alice, *messages)

    assert frames(alice) == [Taken(1, 0), Taken(2, -1, word)]


def test_what_is_retained_makes_room_when_it_is_taken_back() -> None:
    play = Playbook("pubsub", peers=["alice"], config={"retained_bytes": 100})
    alice = log_of(play)

    for data in (b"x" * 60, b"", b"x" * 60, b"y" * 20):
        _ = ask(alice, Keep(1, "a", data, is_retained=True))

    assert [each.word for each in frames(alice) if isinstance(each, Taken)] == ["", "", "", ""]


def test_a_publisher_is_known_for_a_day_at_least() -> None:
    play = Playbook("pubsub", peers=["alice"])
    alice = log_of(play)
    message = Keep(1, "a", b"", publisher="p", number=1)
    _ = ask(alice, message)

    _ = play.advance(86_399.0)
    alice = log_of(play)
    _ = ask(alice, message)
    _ = play.advance(2 * 86_400.0)
    alice = log_of(play)
    _ = ask(alice, message)

    assert frames(alice) == [Taken(1, 1)]


def test_who_follows_twice_under_one_number_follows_once() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")

    _ = ask(bob, Follow(7, "a", credit=10), Follow(7, "b", credit=10))
    _ = ask(alice, Keep(1, "a", b"one"), Keep(2, "b", b"two"))

    assert told(frames(bob)) == [b"two"]


def test_a_stream_with_a_thousand_followers_ends_in_parts_and_leaves_nothing() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice = log_of(play)
    before = play.statistics().ephemeral.entries
    bob = log_of(play, "bob")
    for start in range(0, 1_000, 100):
        _ = ask(bob, *(Follow(start + number, "a", credit=10) for number in range(100)))
    _ = play.advance(1.0)
    _ = frames(bob)

    _ = bob.reset()
    _ = ask(alice, Keep(1, "a", b"one"))
    _ = play.advance(1.0)

    assert play.statistics().ephemeral.entries == before


def test_a_log_that_is_begun_anew_is_another_one() -> None:
    play = Playbook("pubsub", peers=["alice"])

    def identity(play: Playbook) -> bytes:
        (welcome,) = frames(play.open_stream("alice"))
        assert isinstance(welcome, Welcome)
        return welcome.log

    first = identity(play)
    play.restart()

    assert identity(play) == first
    assert first != SELF


@pytest.mark.slow
def test_followers_that_take_nothing_hold_up_nobody_who_publishes() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    before = play.statistics().ephemeral.entries
    for start in range(0, 2_000, 100):
        _ = ask(bob, *(Follow(start + number, "#", credit=0) for number in range(100)))
        _ = play.advance(0.1)
    waiting = frames(bob)

    _ = ask(alice, *(Keep(number, "a", b"one") for number in range(1, 9)))
    _ = play.advance(1.0)
    taken = frames(alice)
    _ = ask(bob, More(1_999, 10))
    late = told(frames(bob))
    _ = bob.reset()
    _ = play.advance(1.0)

    assert waiting == []
    assert [each.sequence for each in taken if isinstance(each, Taken)] == list(range(1, 9))
    assert late == [b"one"] * 8
    assert play.statistics().ephemeral.entries < before


def test_followers_are_counted_over_all_streams_of_a_host() -> None:
    play = Playbook("pubsub", peers=["bob"], config={"followers_per_host": 1})
    one, other = log_of(play, "bob"), log_of(play, "bob")

    _ = ask(one, Follow(1, "a", credit=1))
    _ = ask(other, Follow(1, "a", credit=1))

    assert frames(other) == [Ended(1, "too_many")]


def test_what_was_taken_back_is_remembered_for_others_and_not_for_ever() -> None:
    play = Playbook("pubsub", peers=["alice"], config=EXCHANGE)
    alice = log_of(play)

    for start in range(0, 1_500, 100):
        _ = ask(
            alice, *(Keep(n, f"a/{n}", b"", is_retained=True) for n in range(start, start + 100))
        )
    _ = frames(alice)
    _ = ask(alice, Follow(1, "a/#", credit=2_000, is_retained=True))
    _ = play.advance(1.0)

    assert len(told(frames(alice))) == 1_000


def test_who_followed_an_empty_log_gets_what_came_while_its_stream_was_broken() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    _ = ask(bob, Follow(1, "a", credit=10))
    _ = bob.reset()
    _ = ask(alice, Keep(1, "a", b"one"))

    again = log_of(play, "bob")
    _ = ask(again, Follow(1, "a", credit=10, first=0))

    assert told(frames(again)) == [b"one"]


def test_who_had_more_than_there_is_had_another_log() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"])
    alice, bob = log_of(play), log_of(play, "bob")
    _ = ask(alice, Keep(1, "a", b"one"))

    _ = ask(bob, Follow(1, "a", credit=10, first=1_000))

    assert told(frames(bob)) == [b"one"]


def test_more_names_than_a_host_may_have_are_refused() -> None:
    play = Playbook("pubsub", peers=["alice"], config={"names_per_host": 1})
    alice = log_of(play)

    _ = ask(alice, Follow(1, "a", credit=1, name="one"), Follow(2, "a", credit=1, name="two"))
    first = frames(alice)
    _ = ask(alice, Forget("one"), Follow(3, "a", credit=1, name="three"))

    assert first == [Ended(2, "too_many")]
    assert frames(alice) == [Forgotten("one")]


def test_what_is_no_frame_ends_the_stream() -> None:
    play = Playbook("pubsub", peers=["alice"])
    alice = log_of(play)

    effects = alice.write(b"\xff\xff\xff\xff")

    assert CloseStream(alice.stream) in effects


def test_the_log_stays_within_its_bounds() -> None:
    play = Playbook("pubsub", peers=["alice", "bob"], config={"history_bytes": 5_000})
    alice = log_of(play)
    _ = ask(alice, *(Keep(number, "a", b"x" * 1_000) for number in range(10)))
    bob = log_of(play, "bob")

    _ = ask(bob, Follow(7, "a", credit=20, since_s=-1.0))

    assert len(told(frames(bob))) == 4


def test_many_messages_at_once_take_several_turns() -> None:
    play = Playbook("pubsub", peers=["alice"])
    alice = log_of(play)
    _ = ask(alice, *(Keep(number, "a", b"") for number in range(500)))

    _ = play.advance(1.0)

    assert len(frames(alice)) == 500


def test_what_is_kept_goes_as_a_packet_to_those_who_want_that() -> None:
    play = Playbook("pubsub", peers=["alice", "bob", "east"], config=EXCHANGE)
    _ = play.control("bob", Want(1, is_whole=True, added=(Wish("a", is_kept=True),)))
    _ = play.control("east", Want(1, is_whole=True, added=(Wish("a", is_kept=True),)))
    alice = log_of(play)

    effects = ask(alice, Keep(1, "a", b"one"))

    sent = {each.to: each.packet for each in effects if isinstance(each, SendPacket)}
    assert {to: packet.metadata for to, packet in sent.items()} == {
        BOB: b"\x03a",
        EAST: b"\x04a",
    }
    assert sent[BOB].payload == write_payload(0, b"", b"one")
    assert sent[BOB].source == ALICE


# -- other nodes ----------------------------------------------------------------------------------


def test_the_log_of_another_node_is_read_through_this_one() -> None:
    play = Playbook("pubsub", peers=["alice", "east"], config=EXCHANGE)

    alice = play.open_stream("alice", msgspec.msgpack.encode(Hello(at=EAST)))
    east = play.far_end(alice.stream | 1)
    effects = east.accept(EAST)

    opening = msgspec.msgpack.encode(Hello(EAST, ALICE))
    assert OpenStream(alice.stream | 1, AtNode(EAST, opening)) in alice.effects
    assert any(isinstance(each, SpliceStreams) for each in effects)


def test_who_reads_the_log_of_a_node_that_is_gone_is_told_at_once() -> None:
    play = Playbook("pubsub", peers=["alice", "east"], config=EXCHANGE)
    alice = play.open_stream("alice", msgspec.msgpack.encode(Hello(at=EAST)))
    _ = play.far_end(alice.stream | 1).accept(EAST)

    effects = play.peer_down("east")

    assert CloseStream(alice.stream) in effects
    assert play.peer_down("east") == ()


def test_a_node_of_the_exchange_says_whose_stream_it_hands_on() -> None:
    play = Playbook("pubsub", peers=["east"], config=EXCHANGE)
    carol = log_of(play, "east", Hello(SELF, address("carol")))

    _ = ask(carol, Follow(1, "#", credit=1), Keep(1, "a", b""))

    (message,) = [each for each in frames(carol) if isinstance(each, Told)]
    assert record.decode(message.record).host == address("carol")


def test_a_stranger_speaks_for_itself_alone() -> None:
    play = Playbook("pubsub", peers=["alice"])
    alice = log_of(play, "alice", Hello(b"", BOB))

    _ = ask(alice, Follow(1, "#", credit=1), Keep(1, "a", b""))

    (message,) = [each for each in frames(alice) if isinstance(each, Told)]
    assert record.decode(message.record).host == ALICE


def test_a_node_outside_of_the_exchange_is_not_asked() -> None:
    play = Playbook("pubsub", peers=["alice", "east"])

    alice = play.open_stream("alice", msgspec.msgpack.encode(Hello(at=EAST)))

    assert alice.effects == (CloseStream(alice.stream),)
