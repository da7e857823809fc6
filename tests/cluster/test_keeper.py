"""What a member changes about who owns a state, case by case."""

from tests.cluster.world import address

from ei.cluster.keeper import Standing, decide
from ei.cluster.ownership import Ownership
from ei.sdk.packets import Address

ONE, TWO, THREE = (address(number) for number in (1, 2, 3))
ALL = frozenset({ONE, TWO, THREE})
NEW = Standing(0, 0, "following", is_whole=False, is_new=True)
RECORD = Ownership(4, ONE, (ONE, TWO, THREE), 40)
FOLLOWS = Standing(40, 4, "following", is_whole=True, is_new=False)
OWNS = Standing(40, 4, "owning", is_whole=True, is_new=False)


def change(
    me: Address,
    record: Ownership | None = RECORD,
    *,
    standing: Standing | None = FOLLOWS,
    members: frozenset[Address] = ALL,
    lost: frozenset[Address] = frozenset(),
) -> Ownership | None:
    return decide(me, record, members=members, standing=standing, lost=lost, copies=2)


def test_who_has_nothing_begins_where_there_is_nothing() -> None:
    assert change(ONE, None, standing=NEW) == Ownership(1, ONE, (ONE,), 0)


def test_who_has_a_log_does_not_begin_anew_when_etcd_has_forgotten() -> None:
    assert change(ONE, None, standing=OWNS) is None
    assert change(ONE, None, standing=None) is None


def test_while_the_owner_is_there_nothing_changes() -> None:
    assert change(TWO) is None
    assert change(ONE, standing=OWNS) is None


def test_the_state_of_a_lost_owner_passes_to_who_has_all_of_it() -> None:
    assert change(TWO, lost=frozenset({ONE})) == Ownership(5, TWO, (TWO, THREE), 40)


def test_it_does_not_pass_to_who_is_not_in_sync_or_not_whole_or_leaves() -> None:
    lost = frozenset({ONE})
    behind = Ownership(4, ONE, (ONE, THREE), 40)
    damaged = Standing(40, 4, "following", is_whole=False, is_new=False)

    assert change(TWO, behind, lost=lost) is None
    assert change(TWO, standing=damaged, lost=lost) is None
    assert change(TWO, standing=None, lost=lost) is None
    assert change(TWO, members=ALL - {TWO}, lost=lost) is None


def test_the_set_does_not_shrink_below_the_copies() -> None:
    two = Ownership(4, ONE, (ONE, TWO), 40)

    assert change(TWO, two, lost=frozenset({ONE})) == Ownership(5, TWO, (ONE, TWO), 40)


def test_an_owner_that_started_anew_takes_a_new_epoch() -> None:
    assert change(ONE, standing=FOLLOWS) == Ownership(5, ONE, (ONE, TWO, THREE), 40)


def test_an_owner_is_not_judged_before_it_has_heard_what_there_is() -> None:
    earlier = Standing(39, 3, "following", is_whole=True, is_new=False)

    assert change(ONE, standing=earlier) is None


def test_an_owner_that_cannot_own_hands_over() -> None:
    damaged = Standing(40, 4, "following", is_whole=False, is_new=False)
    handed = Ownership(5, TWO, (TWO, THREE), 40)

    assert change(ONE, standing=None) == handed
    assert change(ONE, standing=damaged) == handed
    assert change(ONE, standing=OWNS, members=ALL - {ONE}) == handed
    assert change(ONE, standing=None, lost=frozenset({TWO})) == Ownership(
        5, THREE, (TWO, THREE), 40
    )
    assert change(ONE, standing=None, lost=frozenset({TWO, THREE})) is None


def test_the_set_is_what_the_owner_asks_for() -> None:
    asks = Standing(40, 4, "owning", is_whole=True, is_new=False, asked=(4, frozenset({TWO, ONE})))

    assert change(ONE, standing=asks) == Ownership(4, ONE, (ONE, TWO), 40)


def test_what_was_asked_for_in_another_epoch_does_not_count() -> None:
    asks = Standing(40, 4, "owning", is_whole=True, is_new=False, asked=(3, frozenset({ONE})))

    assert change(ONE, standing=asks) is None
