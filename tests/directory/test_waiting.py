"""Who waits for an answer is remembered until it comes."""

from ei.directory import Named
from ei.directory.waiting import MAX_HOSTS, Waiting
from ei.sdk.packets import Address

BOB = Named("bob.isp-b")
HOST, NODE = Address(b"h" * 16), Address(b"n" * 16)


def test_all_who_wait_are_returned_once() -> None:
    waiting = Waiting()
    waiting.add_local(BOB)
    waiting.add_find(BOB, HOST, 7)
    waiting.add_node(BOB, NODE, 60)

    waiters = waiting.take(BOB)

    assert (waiters.is_local, waiters.finds, waiters.nodes) == (True, [(HOST, 7)], {NODE: 60})
    assert not waiting.take(BOB).finds
    assert len(waiting) == 0


def test_so_many_hosts_wait_for_one_answer() -> None:
    waiting = Waiting()

    added = [waiting.add_find(BOB, HOST, number) for number in range(MAX_HOSTS + 1)]

    assert added == [True] * MAX_HOSTS + [False]
