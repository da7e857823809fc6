"""What is on its way to a client: numbers, states, and what is sent again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.ways.mqtt.outgoing import RING, Kept, Outgoing, State
from ei.ways.mqtt.packets import Ack, Kind, Publish
from ei.ways.mqtt.reasons import Reason


def send(outgoing: Outgoing, mark: bytes, qos: int = 2) -> int:
    return outgoing.send(mark, Publish("t", mark, qos)).number


def test_a_message_of_qos_2_goes_through_its_states() -> None:
    outgoing = Outgoing()
    number = send(outgoing, b"m")
    assert outgoing.state_of(b"m") is State.SENT

    assert outgoing.take(Ack(Kind.PUBREC, number)) == (b"m", Ack(Kind.PUBREL, number))
    assert outgoing.kept(number) == Kept(number, b"m", State.RELEASED)
    assert outgoing.take(Ack(Kind.PUBREC, number)) == (None, Ack(Kind.PUBREL, number))
    assert outgoing.again() == (Ack(Kind.PUBREL, number),)
    assert outgoing.take(Ack(Kind.PUBCOMP, number)) == (None, None)

    assert outgoing.state_of(b"m") is State.DONE
    assert (len(outgoing), outgoing.again()) == (0, ())


@pytest.mark.parametrize(
    ("qos", "kind", "reason", "mark"),
    [
        (1, Kind.PUBACK, Reason.SUCCESS, b"m"),
        (1, Kind.PUBACK, Reason.QUOTA, b"m"),
        (2, Kind.PUBREC, Reason.QUOTA, b"m"),
        (2, Kind.PUBACK, Reason.SUCCESS, None),
        (1, Kind.PUBCOMP, Reason.SUCCESS, None),
    ],
)
def test_only_the_right_word_acknowledges(
    qos: int, kind: Kind, reason: Reason, mark: bytes | None
) -> None:
    outgoing = Outgoing()
    number = send(outgoing, b"m", qos)

    assert outgoing.take(Ack(kind, number, reason)) == (mark, None)
    assert len(outgoing) == (mark is None)


def test_a_number_that_nobody_knows_is_told_so() -> None:
    outgoing = Outgoing()
    answer = Ack(Kind.PUBREL, 9, Reason.NUMBER_NOT_FOUND)

    assert outgoing.take(Ack(Kind.PUBREC, 9)) == (None, answer)
    assert outgoing.take(Ack(Kind.PUBACK, 9)) == (None, None)
    assert not outgoing.is_known(9)


def test_what_the_disk_knows_keeps_its_number() -> None:
    kept = (Kept(5, b"a", State.SENT), Kept(6, b"b", State.RELEASED), Kept(7, b"c", State.DONE))
    outgoing = Outgoing(kept)

    assert (len(outgoing), outgoing.again()) == (1, (Ack(Kind.PUBREL, 6),))
    assert outgoing.state_of(b"a") is None
    packet = outgoing.send(b"a", Publish("t", b"x", 2))
    assert (packet.number, packet.is_repeated) == (5, True)
    assert outgoing.state_of(b"c") is State.DONE


def test_numbers_that_pubsub_did_not_come_back_to_are_used_in_the_end() -> None:
    outgoing = Outgoing(tuple(Kept(n, b"%d" % n, State.SENT) for n in range(1, RING + 1)))

    assert send(outgoing, b"new") == 1
    outgoing.hold_back(b"new")
    outgoing.drop(b"new")
    outgoing.drop(b"never")
    assert len(outgoing) == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 2)), max_size=200))
def test_numbers_on_their_way_are_never_two_messages(steps: list[tuple[int, int, int]]) -> None:
    outgoing = Outgoing()
    ways: dict[int, bytes] = {}
    for step, (action, which, qos) in enumerate(steps):
        numbers = sorted(ways)
        if action == 0 or not numbers:
            mark = step.to_bytes(2)
            number = send(outgoing, mark, qos)
            assert number not in ways
            ways[number] = mark
            continue
        number = numbers[which % len(numbers)]
        kinds = (Kind.PUBACK, Kind.PUBREC, Kind.PUBCOMP)
        mark, answer = outgoing.take(Ack(kinds[(which + action) % 3], number))
        assert mark in (None, ways[number])
        if outgoing.state_of(ways[number]) is State.DONE:
            del ways[number]
        assert answer is None or answer.number == number
    assert len(outgoing) == len(ways) == len(outgoing.again())


def test_what_is_far_behind_one_that_is_not_acknowledged_waits() -> None:
    outgoing = Outgoing()
    stuck = send(outgoing, b"stuck", 1)
    marks: list[bytes] = []
    while not outgoing.is_full(4):
        marks.append(b"%d" % len(marks))
        _ = outgoing.take(Ack(Kind.PUBACK, send(outgoing, marks[-1], 1)))

    assert len(marks) == RING - 4
    assert all(outgoing.state_of(mark) is State.DONE for mark in marks)
    _ = outgoing.take(Ack(Kind.PUBACK, stuck))
    assert not outgoing.is_full(4)
