"""Candidates are kept by origin, in order, and not without bound."""

import pytest
from tests.routing.world import node

from ei.routing.announcements import Offer
from ei.routing.policy import Relation
from ei.routing.table import Candidate, Rank, Table
from ei.routing.verifying import Refused


def candidate(  # noqa: PLR0913 a candidate has so many sides
    origin: int,
    *path: int,
    offers: tuple[Offer, ...] = (),
    relation: Relation = Relation.PROVIDER,
    hop: int = 0,
    is_inside: bool = False,
    sequence: int = 1,
    deadline_s: float = 100.0,
) -> Candidate:
    digest = repr((origin, path, offers, sequence)).encode()
    return Candidate(
        announced=digest,
        digest=digest,
        origin=origin,
        signer=node(origin),
        sequence=sequence,
        path=(*path, origin),
        offers=offers,
        hop=node(hop or (*path, origin)[0]),
        is_inside=is_inside,
        relation=relation,
        deadline_s=deadline_s,
    )


def by_length(each: Candidate) -> Rank:
    return False, 0, len(each.path), False, 0, each.path[0], each.hop


def test_the_best_comes_first() -> None:
    table = Table(by_length)
    long, short = candidate(5, 2, 3), candidate(5, 4)
    for each in (long, short):
        table.put(each)

    before, after = table.rank_again(5)

    assert before == ()
    assert after == (short, long)
    assert table.ranked(5) == after
    assert table.ranked(6) == ()
    assert table.get(5, long.key) is long
    assert list(table.keys_of(node(2))) == [(5, long.key)]
    assert repr(table) == "<Table of 2 candidates for 1 origins>"


def test_a_new_word_takes_the_place_of_the_old_one() -> None:
    table = Table(by_length)
    table.put(candidate(5, 2))
    newer = candidate(5, 2, sequence=2)

    table.put(newer)
    _ = table.rank_again(5)

    assert table.ranked(5) == (newer,)
    assert len(table) == 1


def test_what_is_removed_is_gone_with_its_services() -> None:
    table = Table(by_length)
    each = candidate(5, 2, offers=(Offer(20), Offer(20, 1), Offer(21)))
    table.put(each)
    _ = table.rank_again(5)
    assert list(table.offering(20)) == [5]

    assert table.remove(5, each.key)
    _ = table.rank_again(5)

    assert not table.remove(5, each.key)
    assert list(table.offering(20)) == []
    assert len(table) == 0
    assert table.origins == {}


def test_the_services_of_an_origin_are_those_of_its_best_candidate() -> None:
    table = Table(by_length)
    for each in (candidate(5, 2, 3, offers=(Offer(20),)), candidate(5, 4, offers=(Offer(21),))):
        table.put(each)

    _ = table.rank_again(5)

    assert list(table.offering(20)) == []
    assert list(table.offering(21)) == [5]


def test_what_expires_is_named() -> None:
    table = Table(by_length)
    each = candidate(5, 2, deadline_s=10.0)
    for one in (each, candidate(6, 2, deadline_s=20.0)):
        table.put(one)

    assert table.expired(now_s=9.9) == []
    assert table.expired(now_s=10.0) == [(5, each.key)]


def test_a_full_table_takes_no_more_and_says_so() -> None:
    table = Table(by_length, limit=1)
    table.put(candidate(5, 2))
    table.put(candidate(5, 2, sequence=2))

    with pytest.raises(Refused, match="1 routes are kept, allowed are 1") as refused:
        table.put(candidate(6, 2))

    assert refused.value.reason == "table_full"
