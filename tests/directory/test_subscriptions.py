"""Who is told, for how long, and how many of them at most."""

from ei.directory import Named
from ei.directory.subscriptions import Subscriptions
from ei.sdk.packets import Address

BOB, AL = Named("bob.isp-b"), Named("al.isp-a")
PEERS = [Address(bytes([number]) * 16) for number in range(3)]


def test_a_lease_ends_when_it_is_not_renewed() -> None:
    subscriptions = Subscriptions()
    subscriptions.add(BOB, PEERS[0], until_s=10.0)
    subscriptions.add(BOB, PEERS[1], until_s=10.0)
    subscriptions.add(BOB, PEERS[0], until_s=20.0)

    subscriptions.expire(15.0)

    assert subscriptions.of(BOB) == {PEERS[0]: 20.0}
    assert subscriptions.deadlines.next_s == 20.0
    assert BOB in subscriptions


def test_a_record_has_so_many_subscribers_and_a_renewal_is_none_more() -> None:
    subscriptions = Subscriptions(limit_of_record=2)

    added = [subscriptions.add(BOB, peer, until_s=1.0) for peer in (*PEERS, PEERS[0])]

    assert added == [True, True, False, True]
    assert subscriptions.add(AL, PEERS[2], until_s=1.0)
    statistics = subscriptions.statistics()
    assert (statistics.subscriptions, statistics.queries, statistics.full) == (3, 2, 1)


def test_what_is_removed_makes_room() -> None:
    subscriptions = Subscriptions(limit_of_record=1)
    subscriptions.add(BOB, PEERS[0], until_s=1.0)

    subscriptions.remove(BOB, PEERS[0])
    subscriptions.remove(BOB, PEERS[0])

    assert len(subscriptions) == 0
    assert subscriptions.queries() == []
    assert subscriptions.add(BOB, PEERS[1], until_s=1.0)
