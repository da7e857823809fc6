"""A host uses the node that it prefers among those that are up, and calls the others again."""

from ei.host.attachments import MOVE_NS, Attachments
from ei.sdk import Address

ONE, TWO, OTHER = (Address(letter * 16) for letter in (b"1", b"2", b"x"))
S = 1_000_000_000


def test_the_first_node_is_used_until_another_is_up() -> None:
    attachments = Attachments([ONE, TWO])
    assert attachments.via == ONE

    assert attachments.change(0, TWO, is_up=True)

    assert attachments.via == TWO
    assert attachments.up == (TWO,)


def test_the_preferred_node_is_used_also_when_another_answers_first() -> None:
    attachments = Attachments([ONE, TWO])

    _ = attachments.change(0, TWO, is_up=True)
    _ = attachments.change(0, ONE, is_up=True)

    assert attachments.via == ONE


def test_traffic_moves_when_its_node_goes_down_and_not_when_another_comes_back() -> None:
    attachments = Attachments([ONE, TWO])
    _ = attachments.change(0, ONE, is_up=True)
    _ = attachments.change(0, TWO, is_up=True)
    assert attachments.via == ONE

    _ = attachments.change(S, ONE, is_up=False)
    assert attachments.via == TWO

    _ = attachments.change(2 * S, ONE, is_up=True)
    assert attachments.via == TWO
    assert attachments.up == (ONE, TWO)


def test_without_any_node_the_preferred_one_is_tried() -> None:
    attachments = Attachments([ONE, TWO])
    _ = attachments.change(0, TWO, is_up=True)

    _ = attachments.change(0, TWO, is_up=False)

    assert attachments.via == ONE


def test_a_node_is_called_at_once_and_then_ever_more_rarely() -> None:
    attachments = Attachments([ONE])
    attachments.call_all(0)

    calls: list[float] = []
    while len(calls) < 10:
        deadline_ns = attachments.next_deadline_ns()
        assert deadline_ns is not None
        assert attachments.due(deadline_ns) == [ONE]
        calls.append(deadline_ns / S)

    assert calls == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5, 91.5, 121.5]


def test_nothing_is_due_while_all_pipes_are_up() -> None:
    attachments = Attachments([ONE, TWO])
    attachments.call_all(0)
    _ = attachments.change(0, ONE, is_up=True)
    _ = attachments.change(0, TWO, is_up=True)

    assert attachments.next_deadline_ns() is None
    assert attachments.due(100 * S) == []


def test_the_pipe_of_a_stranger_changes_nothing() -> None:
    attachments = Attachments([ONE])

    assert not attachments.change(0, OTHER, is_up=True)
    assert attachments.up == ()


def test_a_node_that_wants_to_be_left_is_left_for_one_that_is_up() -> None:
    attachments = both_up()

    attachments.leave(0, ONE)
    assert attachments.via == ONE
    assert attachments.take_left() == []
    assert attachments.next_deadline_ns() == MOVE_NS

    assert not attachments.move_due(MOVE_NS - 1)
    assert attachments.move_due(MOVE_NS)
    assert attachments.via == TWO
    assert attachments.take_left() == [ONE]
    assert attachments.take_left() == []
    assert attachments.next_deadline_ns() is None


def test_before_a_move_one_packet_to_each_destination_tries_the_new_way() -> None:
    attachments = both_up()
    assert attachments.via_for(16, b"bob") == ONE

    attachments.leave(0, ONE)
    tried = [attachments.via_for(16, to) for to in (b"bob", b"bob", b"carol", b"carol", b"bob")]
    _ = attachments.move_due(MOVE_NS)

    assert tried == [TWO, ONE, TWO, ONE, ONE]
    assert attachments.via_for(16, b"bob") == TWO


def test_a_node_that_goes_down_before_the_move_is_left_at_once() -> None:
    attachments = both_up()
    attachments.leave(0, ONE)

    _ = attachments.change(1, ONE, is_up=False)

    assert attachments.via == TWO
    assert not attachments.move_due(MOVE_NS)


def test_a_move_to_a_node_that_goes_down_waits_for_another() -> None:
    attachments = both_up()
    attachments.leave(0, ONE)

    _ = attachments.change(1, TWO, is_up=False)
    assert not attachments.move_due(MOVE_NS)
    assert attachments.via == ONE
    _ = attachments.change(S, TWO, is_up=True)

    assert attachments.move_due(S + MOVE_NS)
    assert attachments.via == TWO


def test_a_node_that_wants_to_be_left_serves_until_another_is_up() -> None:
    attachments = Attachments([ONE, TWO])
    _ = attachments.change(0, ONE, is_up=True)

    attachments.leave(0, ONE)
    assert not attachments.move_due(MOVE_NS)
    assert attachments.take_left() == []

    _ = attachments.change(S, TWO, is_up=True)
    assert attachments.move_due(S + MOVE_NS)
    assert attachments.via == TWO
    assert attachments.take_left() == [ONE]


def test_a_node_that_is_not_used_is_left_at_once() -> None:
    attachments = both_up()

    attachments.leave(0, TWO)

    assert attachments.via == ONE
    assert attachments.take_left() == [TWO]


def test_traffic_does_not_move_to_a_node_that_wants_to_be_left() -> None:
    three = Address(b"3" * 16)
    attachments = Attachments([ONE, TWO, three])
    for node in (ONE, TWO, three):
        _ = attachments.change(0, node, is_up=True)
    attachments.leave(0, TWO)

    _ = attachments.change(S, ONE, is_up=False)

    assert attachments.via == three


def test_a_node_that_comes_back_is_as_good_as_any() -> None:
    attachments = both_up()
    attachments.leave(0, ONE)
    _ = attachments.change(S, ONE, is_up=False)

    _ = attachments.change(2 * S, ONE, is_up=True)
    _ = attachments.change(3 * S, TWO, is_up=False)

    assert attachments.via == ONE
    assert attachments.take_left() == []


def test_only_own_nodes_that_are_up_can_be_left() -> None:
    attachments = Attachments([ONE, TWO])
    _ = attachments.change(0, TWO, is_up=True)

    for node in (ONE, OTHER):
        attachments.leave(0, node)

    assert attachments.via == TWO
    assert attachments.take_left() == []


def both_up() -> Attachments:
    attachments = Attachments([ONE, TWO])
    _ = attachments.change(0, ONE, is_up=True)
    _ = attachments.change(0, TWO, is_up=True)
    return attachments


MS = 1_000_000


BOB, CAROL = (Address(letter * 16) for letter in (b"b", b"c"))


def test_traffic_follows_who_comes_by_another_node_when_the_one_in_use_is_silent() -> None:
    attachments = both_up()
    attachments.hear(S, ONE, BOB)

    attachments.hear(S + 149 * MS, TWO, BOB)
    assert attachments.via == ONE

    attachments.hear(S + 149 * MS, ONE, BOB)
    attachments.hear(S + 299 * MS, TWO, BOB)
    assert attachments.via == TWO


def test_who_always_came_by_another_node_moves_nothing() -> None:
    attachments = both_up()
    attachments.hear(S, ONE, CAROL)

    for second in range(2, 60):
        attachments.hear(second * S, TWO, BOB)

    assert attachments.via == ONE


def test_packets_that_come_both_ways_move_nothing() -> None:
    attachments = both_up()

    for step in range(1_000):
        attachments.hear(S + step * 100 * MS, (ONE, TWO)[step % 2], BOB)

    assert attachments.via == ONE


def test_who_changes_its_way_all_the_time_moves_traffic_every_5_s_at_most() -> None:
    attachments = both_up()
    moves = 0

    for step in range(60):
        before = attachments.via
        attachments.hear(10 * S + step * S, (ONE, TWO)[step % 2], BOB)
        moves += attachments.via != before

    assert 1 < moves <= 12


def test_nothing_follows_to_a_node_that_is_down_or_leaving_or_a_strangers() -> None:
    attachments = both_up()
    for source in (BOB, CAROL):
        attachments.hear(S, ONE, source)
    attachments.leave(S, TWO)
    attachments.hear(2 * S, TWO, BOB)
    attachments.hear(2 * S, OTHER, CAROL)
    assert attachments.via == ONE

    _ = attachments.change(2 * S, TWO, is_up=False)
    attachments.hear(3 * S, ONE, BOB)
    attachments.hear(4 * S, TWO, BOB)

    assert attachments.via == ONE


def test_a_node_that_was_just_chosen_has_its_time_to_speak() -> None:
    attachments = both_up()
    _ = attachments.change(S, ONE, is_up=False)
    _ = attachments.change(S, ONE, is_up=True)
    assert attachments.via == TWO
    attachments.hear(S, TWO, BOB)

    attachments.hear(S + 100 * MS, ONE, BOB)

    assert attachments.via == TWO


def test_only_so_many_sources_are_remembered() -> None:
    attachments = both_up()
    attachments.hear(S, ONE, BOB)
    for number in range(1_024):
        attachments.hear(S, ONE, Address(number.to_bytes(16)))

    attachments.hear(2 * S, TWO, BOB)

    assert attachments.via == ONE


def test_other_nodes_are_used_once_one_of_them_is_up_and_then_the_old_are_forgotten() -> None:
    attachments = both_up()

    assert attachments.use(S, [TWO, OTHER]) == [OTHER]

    assert attachments.via == TWO
    assert attachments.take_retired() == [ONE]
    assert attachments.nodes == (TWO, OTHER)
    assert attachments.due(S) == [OTHER]


def test_without_any_of_the_new_nodes_the_old_one_stays_in_use() -> None:
    attachments = Attachments([ONE])
    _ = attachments.change(0, ONE, is_up=True)
    assert attachments.use(S, [TWO]) == [TWO]
    assert attachments.via == ONE
    assert attachments.take_retired() == []

    _ = attachments.change(2 * S, TWO, is_up=True)

    assert attachments.via == TWO
    assert attachments.take_retired() == [ONE]
    assert attachments.nodes == (TWO,)


def test_a_node_that_is_wanted_again_stays() -> None:
    attachments = Attachments([ONE])
    _ = attachments.change(0, ONE, is_up=True)
    _ = attachments.use(S, [TWO])

    assert attachments.use(2 * S, [ONE, TWO]) == []

    _ = attachments.change(3 * S, TWO, is_up=True)
    assert (attachments.via, attachments.take_retired()) == (ONE, [])
