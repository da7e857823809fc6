"""A replica, step by step: what it follows, what it refuses, when it may own the state."""

import pytest
from tests.cluster.trio import ALL, ONE, THREE, TWO, Trio

from ei.cluster.copies import LEASE_S
from ei.cluster.messages import Append, Refused
from ei.cluster.ownership import Ownership
from ei.errors import LocalError


def test_a_write_is_committed_when_all_of_the_set_has_it_on_disk() -> None:
    trio = Trio()
    trio.begin()
    trio.cut = {THREE}

    index = trio.write(ONE, b"a")

    assert trio.replicas[ONE].committed < index
    trio.cut = set()
    trio.tick(ONE)
    assert trio.replicas[ONE].committed == index
    trio.tick(ONE)
    assert [len(rows) for rows in trio.rows.values()] == [1, 1, 1]


def test_d4_an_owner_of_the_past_gets_nothing_accepted() -> None:
    trio = Trio()
    trio.begin()
    trio.cut = {ONE}
    trio.now_s += LEASE_S
    trio.see(Ownership(2, TWO, (TWO, THREE), 3))
    trio.cut = set()

    index = trio.write(ONE, b"late")

    assert isinstance(trio.said[-1], Refused)
    assert trio.replicas[ONE].role == "following"
    assert trio.replicas[ONE].committed < index
    assert len(trio.rows[TWO]) == 0
    assert trio.replicas[TWO].status().refused == {"stale_epoch": 1}


def test_an_owner_of_the_past_follows_and_takes_back_what_nobody_has() -> None:
    trio = Trio()
    trio.begin()
    trio.cut = {ONE}
    _ = trio.write(ONE, b"late")
    trio.now_s += LEASE_S
    trio.see(Ownership(2, TWO, (TWO, THREE), 3))
    _ = trio.write(TWO, b"new")
    trio.cut = set()

    trio.tick(TWO)
    trio.tick(TWO)

    assert trio.replicas[ONE].log.last == trio.replicas[TWO].log.last
    assert [row[0] for row in trio.rows[ONE].rows()] == [b"new"]


def test_who_has_promised_the_owner_its_lease_waits_for_its_end() -> None:
    trio = Trio()
    trio.begin()
    trio.tick(ONE)
    trio.cut = {ONE}

    trio.see(Ownership(2, TWO, (TWO, THREE), 3))

    assert trio.replicas[TWO].role == "waiting"
    trio.tick(TWO, LEASE_S - 0.01)
    assert not trio.replicas[TWO].is_serving
    trio.tick(TWO, 0.01)
    assert trio.replicas[TWO].is_serving


def test_an_owner_is_current_for_as_long_as_it_is_answered() -> None:
    trio = Trio()
    trio.begin()
    trio.tick(ONE)
    assert trio.replicas[ONE].is_current(trio.now_s)

    trio.cut = {THREE}
    trio.tick(ONE, 0.13)

    assert not trio.replicas[ONE].is_current(trio.now_s)
    trio.cut = set()
    trio.carry(ONE, trio.replicas[ONE].confirm(trio.now_s))
    assert trio.replicas[ONE].is_current(trio.now_s)


def test_an_owner_that_starts_anew_does_not_own_in_the_same_epoch() -> None:
    trio = Trio()
    trio.begin()

    replica = trio.start(ONE)
    record = Ownership(1, ONE, (ONE, TWO, THREE), 2)
    trio.see(record)
    assert replica.role == "following"

    trio.see(record.passed_on(ONE))
    assert replica.is_serving


def test_d3_who_has_lost_something_owns_nothing_until_it_has_all_again() -> None:
    trio = Trio()
    trio.begin()
    _ = trio.write(ONE, b"a")
    trio.disks[TWO].flip("log", 70)
    replica = trio.start(TWO)
    assert not replica.log.is_whole

    trio.see(Ownership(2, TWO, (TWO, THREE), 3))
    assert replica.role == "following"

    trio.see(Ownership(3, THREE, (TWO, THREE), 4))
    trio.tick(THREE)
    trio.tick(THREE)
    assert replica.log.is_whole
    assert replica.log.last == trio.replicas[THREE].log.last


def test_d3_a_lost_disk_is_filled_again_by_a_snapshot() -> None:
    trio = Trio()
    trio.begin()
    for number in range(40):
        _ = trio.write(ONE, b"%d" % number)
    trio.disks[TWO].wipe()
    replica = trio.start(TWO)

    for _ in range(5):
        trio.tick(ONE)

    assert replica.log.is_whole
    assert trio.rows[TWO].rows() == trio.rows[ONE].rows()


def test_one_that_was_away_for_long_gets_a_snapshot() -> None:
    trio = Trio()
    trio.begin()
    trio.cut = {THREE}
    trio.see(Ownership(1, ONE, (ONE, TWO), 3))
    for number in range(200):
        _ = trio.write(ONE, b"%d" % number)
        trio.tick(ONE, 0.01)
    trio.cut = set()

    for _ in range(5):
        trio.tick(ONE)

    assert trio.replicas[THREE].log.last == trio.replicas[ONE].log.last
    assert trio.replicas[ONE].ask(trio.now_s) == (1, ALL)


def test_below_the_number_of_copies_writes_are_refused() -> None:
    trio = Trio()
    trio.see(Ownership(1, ONE, (ONE,), 1))
    assert trio.replicas[ONE].why_refused(trio.now_s) == "too_few_copies"
    trio.tick(ONE)
    trio.see(Ownership(1, ONE, (ONE, TWO), 2))
    assert trio.replicas[ONE].why_refused(trio.now_s) == ""

    trio.replicas[ONE].lose(frozenset({TWO}))

    assert trio.replicas[ONE].why_refused(trio.now_s) == "too_few_copies"
    assert trio.replicas[TWO].why_refused(trio.now_s) == "not_owner"


def test_who_does_not_own_the_state_writes_nothing() -> None:
    trio = Trio()
    trio.begin()

    with pytest.raises(LocalError, match="another member owns the state"):
        trio.write(TWO, b"a")


def test_an_owner_that_resigns_writes_nothing_more() -> None:
    trio = Trio()
    trio.begin()

    trio.replicas[ONE].resign()

    assert (trio.replicas[ONE].role, trio.replicas[ONE].is_serving) == ("following", False)


def test_an_entry_that_was_changed_on_its_way_is_not_written() -> None:
    trio = Trio()
    trio.begin()
    trio.cut = {TWO, THREE}
    _ = trio.write(ONE, b"a")
    (append,) = [each for each in trio.said[-1:] if isinstance(each, Append)]
    spoiled = append.entries[0][:-1] + b"!"
    before = trio.replicas[TWO].log.last

    answer = trio.replicas[TWO].take(
        ONE,
        Append(*[getattr(append, name) for name in append.__struct_fields__[:5]], (spoiled,), 2, 1),
        trio.now_s,
    )

    assert trio.replicas[TWO].log.last == before
    assert trio.replicas[TWO].status().refused == {"bad_entry": 1}
    assert answer
