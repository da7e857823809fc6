"""What a replicated store promises beside what all do: see test_transactions.py."""

from math import inf

import pytest

from ei.cluster.writes import Rows, Writes
from ei.runtime.stores import RefusedError, ReplicatedStore
from ei.runtime.undo import UndoLog


class Remembered:
    """Takes whatever it is given, or refuses it."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.commits: list[Writes] = []
        self.confirms = 0
        self.refuses = ""

    def commit(self, writes: Writes) -> None:
        if self.refuses:
            raise RefusedError("not now", word=self.refuses)
        self.commits.append(writes)
        self.rows.apply(writes)

    def confirm(self) -> None:
        self.confirms += 1


@pytest.fixture
def below() -> Remembered:
    return Remembered(Rows())


def opened(below: Remembered) -> ReplicatedStore:
    return ReplicatedStore(below.rows, below, limit_bytes=1_000)


def test_a_batch_is_one_entry_of_what_it_changed(below: Remembered) -> None:
    store = opened(below)
    store.begin(5.0, UndoLog())
    store.put(b"b", b"1")
    store.put(b"a", b"1", ttl_s=2.0)
    store.put(b"b", b"2")
    store.commit()

    store.begin(6.0, UndoLog())
    store.delete(b"b")
    store.put(b"a", b"1", ttl_s=1.0)
    store.commit()

    assert below.commits == [
        Writes(5.0, [(b"a", b"1", 7.0), (b"b", b"2", inf)], []),
        Writes(6.0, [], [b"b"]),
    ]


def test_a_batch_that_writes_nothing_is_confirmed(below: Remembered) -> None:
    store = opened(below)
    store.begin(5.0, UndoLog())
    assert store.get(b"a") is None

    store.commit()

    assert (below.commits, below.confirms) == ([], 1)


def test_what_is_undone_is_not_written(below: Remembered) -> None:
    store, undo = opened(below), UndoLog()
    store.begin(5.0, undo)
    store.put(b"a", b"1")
    undo.undo_to(0)

    store.commit()

    assert below.commits == []


def test_what_is_refused_is_still_to_be_undone(below: Remembered) -> None:
    store, undo = opened(below), UndoLog()
    store.begin(5.0, undo)
    store.put(b"a", b"1")
    below.refuses = "too_few_copies"

    with pytest.raises(RefusedError) as refused:
        store.commit()

    assert refused.value.word == "too_few_copies"
    undo.undo_to(0)
    assert store.get(b"a") is None


def test_what_has_expired_goes_along_with_the_next_write(below: Remembered) -> None:
    store = opened(below)
    store.begin(5.0, UndoLog())
    store.put(b"a", b"1", ttl_s=1.0)
    store.commit()
    store.begin(7.0, UndoLog())
    store.commit()
    assert len(below.commits) == 1

    store.begin(8.0, UndoLog())
    store.put(b"b", b"1")
    store.commit()

    assert below.commits[-1] == Writes(8.0, [(b"b", b"1", inf)], [b"a"])


def test_another_owner_has_what_this_one_left_and_no_clock_goes_back(below: Remembered) -> None:
    store = opened(below)
    store.begin(50.0, UndoLog())
    store.put(b"a", b"1", ttl_s=1.0)
    store.put(b"b", b"1")
    store.commit()

    after = opened(below)
    after.begin(7.0, UndoLog())

    assert after.get(b"b") == b"1"
    after.put(b"c", b"1", ttl_s=1.0)
    after.commit()
    assert below.commits[-1].kept == [(b"c", b"1", 51.0)]
