"""Attachments are repeated until a directory has them, a few at a time."""

from ei.directory.handing import FIRST_S, WINDOW, Handed, Handing
from ei.directory.messages import Message, Register
from ei.sdk.packets import Address

HOME = Address(b"d" * 16)


def host(number: int) -> Address:
    return Address(number.to_bytes(16, "big"))


class Sent(list[tuple[Address, Message]]):
    """What was sent, to count by."""

    def take(self, peer: Address, message: Message) -> None:
        self.append((peer, message))


def handing() -> tuple[Handing, Sent]:
    sent = Sent()
    return Handing(send=sent.take), sent


def test_it_is_repeated_with_double_waits_until_it_is_answered() -> None:
    queue, sent = handing()
    queue.add(HOME, host(1), Handed(b"e", 5, 100.0), now_s=0.0)
    times_s = [0.0]
    for _ in range(3):
        times_s.append(queue.deadlines.next_s)
        queue.poll(queue.deadlines.next_s)

    assert times_s == [0.0, FIRST_S, 3 * FIRST_S, 7 * FIRST_S]
    assert sent == [(HOME, Register(b"e"))] * 4
    assert queue.take_registered(HOME, host(1), 5, now_s=4.0)
    assert not queue.take_registered(HOME, host(1), 5, now_s=4.0)
    assert len(queue) == 0


def test_a_newer_one_takes_its_place_and_an_older_answer_is_none() -> None:
    queue, sent = handing()
    queue.add(HOME, host(1), Handed(b"5", 5, 100.0), now_s=0.0)
    queue.add(HOME, host(1), Handed(b"6", 6, 100.0), now_s=0.0)
    queue.add(HOME, host(1), Handed(b"4", 4, 100.0), now_s=0.0)

    assert sent == [(HOME, Register(b"5")), (HOME, Register(b"6"))]
    assert not queue.take_registered(HOME, host(1), 5, now_s=1.0)
    assert queue.take_registered(HOME, host(1), 6, now_s=1.0)


def test_so_many_are_under_way_and_the_next_follow_the_answers() -> None:
    queue, sent = handing()
    for number in range(WINDOW + 2):
        queue.add(HOME, host(number), Handed(b"e", 1, 100.0), now_s=0.0)
    first = len(sent)

    queue.take_registered(HOME, host(0), 1, now_s=1.0)

    assert first == WINDOW
    assert len(sent) == WINDOW + 1
    assert queue.statistics().waiting == WINDOW + 1


def test_what_has_expired_is_given_up() -> None:
    queue, sent = handing()
    queue.add(HOME, host(1), Handed(b"e", 1, 0.4), now_s=0.0)

    queue.poll(FIRST_S)

    assert len(sent) == 1
    assert len(queue) == 0


def test_a_directory_that_comes_up_hears_at_once_what_it_may_have_lost() -> None:
    queue, sent = handing()
    queue.add(HOME, host(1), Handed(b"e", 1, 100.0), now_s=0.0)

    queue.peer_up(HOME, now_s=0.1)
    queue.poll(0.1)

    assert len(sent) == 2
