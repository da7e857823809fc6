"""What both kinds of store promise, and that they promise the same."""

import operator
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.stores.test_replicated import Remembered

from ei.cluster.writes import Rows
from ei.errors import ServiceError
from ei.runtime.stores import (
    MemoryStore,
    ReplicatedStore,
    SqliteStore,
    StoreStatistics,
    TransactionalStore,
)
from ei.runtime.stores.transactions import end_of_prefix
from ei.runtime.undo import UndoLog
from ei.sdk.manifest import ENTRY_BYTES

LIMIT_BYTES = 1_000


@pytest.fixture(params=["memory", "replicated", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TransactionalStore]:
    if request.param == "memory":
        yield MemoryStore(limit_bytes=LIMIT_BYTES)
        return
    if request.param == "replicated":
        rows = Rows()
        yield ReplicatedStore(rows, Remembered(rows), limit_bytes=LIMIT_BYTES)
        return
    made = SqliteStore(tmp_path / "store", limit_bytes=LIMIT_BYTES)
    yield made
    made.close()


def begin(store: TransactionalStore, now_s: float = 0.0) -> UndoLog:
    undo = UndoLog()
    store.begin(now_s, undo)
    return undo


def kept(store: TransactionalStore) -> dict[bytes, bytes]:
    return dict(store.scan(b""))


@pytest.mark.parametrize("is_committed", [False, True])
def test_what_is_written_is_read_back(store: TransactionalStore, *, is_committed: bool) -> None:
    _ = begin(store)
    store.put(b"a", b"one")
    store.put(b"b", b"two")
    store.put(b"a", b"three")
    store.delete(b"b")
    store.delete(b"never there")
    if is_committed:
        store.commit()

    assert store.get(b"a") == b"three"
    assert store.get(b"b") is None
    assert kept(store) == {b"a": b"three"}


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_scan_is_ordered_and_ends_with_its_prefix(
    store: TransactionalStore, *, is_committed: bool
) -> None:
    _ = begin(store)
    for key in (b"b", b"a\xff", b"a", b"c", b"a\xff\xff", b"a0", b"\xff\xff", b"\xff"):
        store.put(key, b"")
    if is_committed:
        store.commit()
        _ = begin(store)
        store.put(b"a1", b"")
        store.delete(b"a0")
        store.put(b"a0", b"again")

    keys = [key for key, _ in store.scan(b"a")]

    assert keys == [b"a", b"a0", *([b"a1"] if is_committed else []), b"a\xff", b"a\xff\xff"]
    assert [key for key, _ in store.scan(b"\xff")] == [b"\xff", b"\xff\xff"]


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_handler_may_write_while_it_scans(
    store: TransactionalStore, *, is_committed: bool
) -> None:
    _ = begin(store)
    for key in (b"a", b"b", b"c"):
        store.put(key, b"old")
    if is_committed:
        store.commit()
        _ = begin(store)

    seen: list[tuple[bytes, bytes]] = []
    for key, value in store.scan(b""):
        seen.append((key, value))
        store.delete(b"b")
        store.put(b"c", b"new")
        store.put(b"d", b"not there at the first step")

    assert seen == [(b"a", b"old"), (b"c", b"new")]


def test_an_entry_expires_when_its_time_is_over(store: TransactionalStore) -> None:
    _ = begin(store, 100.0)
    store.put(b"a", b"", ttl_s=10.0)
    store.put(b"b", b"")
    store.commit()

    _ = begin(store, 109.9)
    assert store.get(b"a") == b""
    store.commit()

    _ = begin(store, 110.0)
    assert store.get(b"a") is None
    assert kept(store) == {b"b": b""}
    assert store.statistics().entries == 1


def test_an_entry_that_is_written_again_lives_on(store: TransactionalStore) -> None:
    _ = begin(store, 100.0)
    store.put(b"a", b"", ttl_s=10.0)
    store.put(b"b", b"", ttl_s=10.0)
    store.commit()
    _ = begin(store, 105.0)
    store.put(b"a", b"", ttl_s=10.0)
    store.put(b"b", b"")
    store.commit()

    _ = begin(store, 112.0)
    assert kept(store) == {b"a": b"", b"b": b""}
    _ = begin(store, 115.0)
    assert kept(store) == {b"b": b""}


def test_room_that_expired_can_be_used_again(store: TransactionalStore) -> None:
    _ = begin(store, 100.0)
    store.put(b"a", bytes(900), ttl_s=10.0)
    store.commit()

    _ = begin(store, 110.0)
    store.put(b"b", bytes(900))
    store.commit()

    assert store.statistics() == StoreStatistics(1, 901 + ENTRY_BYTES, LIMIT_BYTES)


def test_an_event_can_be_taken_back_without_what_was_before(store: TransactionalStore) -> None:
    undo = begin(store)
    store.put(b"committed", b"1")
    store.commit()
    undo = begin(store)
    store.put(b"same batch", b"1")
    mark, before = len(undo.steps), store.statistics()
    store.put(b"same batch", b"22")
    store.put(b"new", b"1")
    store.put(b"new", b"2")
    store.delete(b"committed")
    store.delete(b"same batch")

    undo.undo_to(mark)

    assert kept(store) == {b"committed": b"1", b"same batch": b"1"}
    assert store.statistics() == before
    undo.undo_to(0)
    assert kept(store) == {b"committed": b"1"}


def test_a_store_keeps_what_it_was_granted_and_no_more(store: TransactionalStore) -> None:
    undo = begin(store)
    store.put(b"key", bytes(LIMIT_BYTES - ENTRY_BYTES - 3))
    with pytest.raises(ServiceError, match="store of 1001 B exceeds its 1000 B"):
        store.put(b"key", bytes(LIMIT_BYTES - ENTRY_BYTES - 2))
    with pytest.raises(ServiceError, match="store of 1065 B exceeds its 1000 B"):
        store.put(b"k", b"")

    assert len(undo.steps) == 1
    assert store.statistics() == StoreStatistics(1, LIMIT_BYTES, LIMIT_BYTES)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda store: store.put("a", b""), "store entry of str and bytes: bytes allowed"),
        (lambda store: store.put(b"a", bytearray()), "store entry of bytes and bytearray"),
        (lambda store: store.put(bytes(1_025), b""), "key of 1025 B exceeds 1024 B"),
        (lambda store: store.put(b"a", b"", ttl_s=0.0), "ttl_s = 0.0: above 0 and finite"),
        (lambda store: store.put(b"a", b"", ttl_s=float("nan")), "ttl_s = nan: above 0"),
        (lambda store: store.put(b"a", b"", ttl_s=float("inf")), "ttl_s = inf: above 0"),
    ],
)
def test_what_no_store_keeps_is_refused(
    store: TransactionalStore, write: Callable[[TransactionalStore], None], said: str
) -> None:
    _ = begin(store)

    with pytest.raises(ServiceError, match=said):
        write(store)


@pytest.mark.parametrize(("expected", "is_put"), [(b"one", True), (b"two", False), (None, False)])
def test_compare_and_put_depends_on_what_is_there(
    store: TransactionalStore, expected: bytes | None, *, is_put: bool
) -> None:
    _ = begin(store)
    store.put(b"a", b"one")

    assert store.compare_and_put(b"a", b"new", expected=expected) is is_put

    assert store.get(b"a") == (b"new" if is_put else b"one")


def test_a_store_is_named_in_a_log_with_how_full_it_is(store: TransactionalStore) -> None:
    _ = begin(store)
    store.put(b"a", b"")

    assert "65/1000 B" in repr(store)


def test_the_end_of_a_prefix_is_the_first_key_beyond_it() -> None:
    assert end_of_prefix(b"a") == b"b"
    assert end_of_prefix(b"a\xff") == b"b"
    assert end_of_prefix(b"\xff\xff") is None
    assert end_of_prefix(b"") is None


KEYS = st.sampled_from([b"", b"a", b"a\xff", b"ab", b"b", b"\xff"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.binary(max_size=3), st.sampled_from([None, 1.0, 3.0])),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("pass"), st.sampled_from([0.5, 1.0])),
        st.tuples(st.sampled_from(["mark", "undo", "commit", "roll back"])),
    ),
    max_size=40,
)


class Model:
    """The same in the plainest way: copies of a dict."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.entries: dict[bytes, tuple[bytes, float]] = {}
        self.before_event = self.before_batch = dict(self.entries)

    def live(self) -> dict[bytes, bytes]:
        return {
            k: v for k, (v, expires_s) in sorted(self.entries.items()) if expires_s > self.now_s
        }


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_both_stores_agree_with_copies_of_a_dict(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    path = tmp_path_factory.mktemp("store") / "store"
    stores: list[TransactionalStore] = [
        MemoryStore(limit_bytes=LIMIT_BYTES),
        SqliteStore(path, limit_bytes=LIMIT_BYTES),
    ]
    for store in stores:
        run(store, steps)
    sqlite = stores[1]
    assert isinstance(sqlite, SqliteStore)
    sqlite.close()
    path.unlink()


def run(store: TransactionalStore, steps: list[tuple[object, ...]]) -> None:
    model, undo, mark = Model(), begin(store), 0
    for step in steps:
        match step:
            case ("put", bytes(key), bytes(value), ttl_s):
                assert ttl_s is None or isinstance(ttl_s, float)
                store.put(key, value, ttl_s=ttl_s)
                model.entries[key] = (value, float("inf") if ttl_s is None else model.now_s + ttl_s)
            case ("delete", bytes(key)):
                store.delete(key)
                _ = model.entries.pop(key, None)
            case ("pass", float(seconds)):
                store.commit()
                model.now_s += seconds
                undo, mark = begin(store, model.now_s), 0
                model.before_event = model.before_batch = dict(model.entries)
            case ("mark",):
                mark, model.before_event = len(undo.steps), dict(model.entries)
            case ("undo",):
                undo.undo_to(mark)
                model.entries = dict(model.before_event)
            case ("commit",):
                store.commit()
                undo.clear()
                undo, mark = begin(store, model.now_s), 0
                model.before_event = model.before_batch = dict(model.entries)
            case _:
                undo.undo_to(0)
                mark, model.entries = 0, dict(model.before_batch)
                model.before_event = dict(model.before_batch)
        live = model.live()
        assert list(store.scan(b"")) == list(live.items())
        assert list(map(store.get, live)) == list(live.values())
        lengths = sum(map(operator.add, map(len, live), map(len, live.values())))
        assert store.statistics().used_bytes == lengths + ENTRY_BYTES * len(live)
        assert store.statistics().entries == len(live)
