"""What the store in memory promises beside what both do: see test_transactions.py."""

from ei.runtime.stores import MemoryStore
from ei.runtime.undo import UndoLog


def test_an_entry_that_is_written_again_and_again_takes_no_more_room() -> None:
    store = MemoryStore(limit_bytes=1_000)
    for _ in range(1_000):
        store.begin(0.0, UndoLog())
        store.put(b"a", b"", ttl_s=1_000.0)
        store.commit()

    assert store.waste() < 100
    store.begin(1_000.0, UndoLog())
    assert store.get(b"a") is None


def test_nothing_fits_into_a_store_of_nothing() -> None:
    assert MemoryStore(limit_bytes=0).statistics().limit_bytes == 0
