"""A small crowd keeps what the large one of the scenario promises."""

from ei.scenarios.multicast.crowd import Internet, Place, crowd


def test_a_crowd_is_reached_by_one_copy_for_each_domain() -> None:
    promises = crowd(domains=10, nodes=2, receivers=60)

    assert [each for each in promises if each.status != "ok"] == []


def test_who_has_not_joined_gets_nothing() -> None:
    internet = Internet(Place(1, 0, 0), domains=2, nodes=2)
    internet.join(Place(2, 1, 1))
    internet.settle(for_s=1)

    internet.send()

    assert internet.got() == {Place(2, 1, 1).address}
    assert internet.crossings() == [(1, 2)]
