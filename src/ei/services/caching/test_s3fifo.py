"""S3-FIFO keeps its bound and its books, and what is used."""

from hypothesis import given
from hypothesis import strategies as st

from ei.runtime.stores import MemoryStore
from ei.runtime.undo import UndoLog
from ei.services.caching.s3fifo import S3Fifo

LIMIT = 100


def fifo(limit_bytes: int = LIMIT) -> tuple[S3Fifo, MemoryStore]:
    store = MemoryStore(limit_bytes=10**9)
    store.begin(0.0, UndoLog())
    return S3Fifo(store, limit_bytes=limit_bytes), store


NAMES = st.integers(0, 30).map(lambda number: b"%d" % number)
STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "forget", "use"]), NAMES, st.integers(1, LIMIT)),
    max_size=200,
)


@given(STEPS)
def test_what_is_kept_is_what_came_and_did_not_leave_and_never_more_than_the_limit(
    steps: list[tuple[str, bytes, int]],
) -> None:
    queues, _ = fifo()
    kept: dict[bytes, int] = {}

    for what, name, size in steps:
        if what == "forget":
            queues.forget(name)
            _ = kept.pop(name, None)
        elif name in kept or what == "use":
            queues.use(name)
        else:
            for evicted in queues.add(name, size):
                del kept[evicted.name]
            kept[name] = size
        assert queues.used_bytes == sum(kept.values()) <= LIMIT
        assert all(each in queues for each in kept)


@given(STEPS)
def test_nothing_is_left_of_what_is_gone(steps: list[tuple[str, bytes, int]]) -> None:
    queues, store = fifo()
    for what, name, size in steps:
        if what == "ask" and name not in queues:
            _ = list(queues.add(name, size))
        else:
            queues.use(name)

    for _, name, _ in steps:
        queues.forget(name)

    assert queues.used_bytes == 0
    assert {key.partition(b"/")[0] for key, _ in store.scan(b"")} <= {b"lines"}


def test_what_was_used_twice_outlives_what_was_not() -> None:
    queues, _ = fifo()
    _ = list(queues.add(b"hot", 5))
    queues.use(b"hot")
    queues.use(b"hot")

    gone = [each.name for number in range(40) for each in queues.add(b"%d" % number, 10)]

    assert b"hot" not in gone
    assert b"0" in gone


def test_what_comes_back_soon_stays_longer() -> None:
    queues, _ = fifo()
    gone = [each.name for number in range(20) for each in queues.add(b"%d" % number, 10)]
    back = gone[-1]

    _ = list(queues.add(back, 10))
    later = [each.name for number in range(20, 25) for each in queues.add(b"%d" % number, 10)]

    assert back not in later


def test_what_leaves_main_was_worth_keeping() -> None:
    queues, _ = fifo()
    gone = [each for number in range(10) for each in queues.add(b"%d" % number, 10)]
    for name in (b"10", b"11", b"12"):
        gone += queues.add(name, 10)
        queues.use(name)
        queues.use(name)

    gone += [each for number in range(20, 30) for each in queues.add(b"%d" % number, 10)]

    assert {each.name for each in gone if each.was_used} == {b"1", b"2", b"3"}
