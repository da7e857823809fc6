"""Which set an owner asks etcd for."""

from tests.cluster.trio import ALL, ONE, THREE, TWO, Trio

from ei.cluster.ownership import Ownership


def test_who_has_everything_is_asked_into_the_set_and_counts_at_once() -> None:
    trio = Trio()
    trio.see(Ownership(1, ONE, (ONE,), 1))
    trio.tick(ONE)
    assert trio.replicas[ONE].ask(trio.now_s) == (1, ALL)

    trio.cut = {TWO}
    index = trio.write(ONE, b"a")

    # Etcd may have it in the set already, so nothing is committed without it.
    assert trio.replicas[ONE].committed < index
    trio.see(Ownership(1, ONE, (ONE, THREE), 2))
    assert trio.replicas[ONE].committed == index


def test_who_is_lost_is_asked_out_of_the_set_and_counts_until_etcd_has_said_so() -> None:
    trio = Trio()
    trio.begin()
    trio.cut = {THREE}
    trio.replicas[ONE].lose(frozenset({THREE}))

    index = trio.write(ONE, b"a")

    assert trio.replicas[ONE].ask(trio.now_s) == (1, frozenset({ONE, TWO}))
    assert trio.replicas[ONE].committed < index
    trio.see(Ownership(1, ONE, (ONE, TWO), 3))
    assert trio.replicas[ONE].committed == index


def test_who_does_not_keep_up_is_given_up_after_half_a_second() -> None:
    trio = Trio()
    trio.begin()
    trio.cut = {THREE}
    _ = trio.write(ONE, b"a")

    trio.tick(ONE, 0.4)
    assert trio.replicas[ONE].ask(trio.now_s) is None
    trio.tick(ONE, 0.2)
    assert trio.replicas[ONE].ask(trio.now_s) == (1, frozenset({ONE, TWO}))


def test_the_set_does_not_shrink_below_the_copies_but_one_may_replace_another() -> None:
    trio = Trio()
    trio.see(Ownership(1, ONE, (ONE,), 1))
    trio.tick(ONE)
    trio.see(Ownership(1, ONE, (ONE, TWO), 2))
    trio.cut = {TWO, THREE}
    lost = frozenset({TWO, THREE})
    trio.replicas[ONE].lose(lost)
    assert trio.replicas[ONE].ask(trio.now_s) is None

    trio.cut = {TWO}
    trio.replicas[ONE].lose(frozenset({TWO}))
    trio.tick(ONE)

    assert trio.replicas[ONE].ask(trio.now_s) == (1, frozenset({ONE, THREE}))


def test_who_is_no_member_any_more_is_asked_out() -> None:
    trio = Trio()
    trio.begin()

    trio.see(Ownership(1, ONE, (ONE, TWO, THREE), 2), frozenset({ONE, TWO}))

    assert trio.replicas[ONE].ask(trio.now_s) == (1, frozenset({ONE, TWO}))


def test_who_was_asked_for_and_went_is_asked_about_until_etcd_has_answered() -> None:
    trio = Trio()
    trio.see(Ownership(1, ONE, (ONE,), 1))
    trio.tick(ONE)
    trio.see(Ownership(1, ONE, (ONE, TWO), 2))
    assert trio.replicas[ONE].ask(trio.now_s) == (1, ALL)

    trio.replicas[ONE].lose(frozenset({THREE}))

    assert trio.replicas[ONE].ask(trio.now_s) == (1, frozenset({ONE, TWO}))
    trio.see(Ownership(1, ONE, (ONE, TWO), 3))
    assert trio.replicas[ONE].ask(trio.now_s) is None
