"""What the store in a file promises beside what both do: see test_transactions.py."""

import errno
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ei.errors import ConfigError, ConflictError, LimitError, LocalError
from ei.runtime.stores import SqliteStore
from ei.runtime.stores.sqlite import CHECKPOINT_PAGES, commit_failure, open_failure
from ei.runtime.undo import UndoLog


@contextmanager
def opened(path: Path, *, limit_bytes: int = 1_000_000) -> Iterator[SqliteStore]:
    store = SqliteStore(path, limit_bytes=limit_bytes, lock_timeout_s=0.0)
    store.begin(0.0, UndoLog())
    try:
        yield store
    finally:
        store.close()


def test_what_was_committed_is_there_after_opening_it_again(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        store.put(b"a", b"kept")
        store.put(b"b", b"deleted")
        store.commit()
        store.begin(0.0, UndoLog())
        store.delete(b"b")
        store.commit()
        store.begin(0.0, UndoLog())
        store.put(b"c", b"not committed")
        before = store.statistics()

    with opened(tmp_path / "store") as store:
        assert list(store.scan(b"")) == [(b"a", b"kept")]
        assert store.statistics().entries == before.entries - 1


def test_what_expired_while_nobody_looked_is_gone(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        store.put(b"a", b"", ttl_s=10.0)
        store.commit()

    with opened(tmp_path / "store") as store:
        assert store.get(b"a") == b""
        store.begin(10.0, UndoLog())
        assert store.get(b"a") is None
        assert store.statistics().used_bytes == 0


def test_a_wall_clock_set_back_brings_nothing_back(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        store.put(b"a", b"", ttl_s=10.0)
        store.commit()
        store.begin(10.0, UndoLog())
        store.begin(5.0, UndoLog())

        assert store.get(b"a") is None


def test_a_scan_of_many_rows_takes_them_page_by_page(tmp_path: Path) -> None:
    keys = [b"k%04d" % number for number in range(600)]
    with opened(tmp_path / "store") as store:
        for key in keys:
            store.put(key, b"")
        store.commit()

        assert [key for key, _ in store.scan(b"k")] == keys
        assert [key for key, _ in store.scan(b"")] == keys


def test_the_log_is_copied_into_the_file_before_it_is_long(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with opened(path, limit_bytes=100_000_000) as store:
        for batch in range(8):
            store.begin(0.0, UndoLog())
            for number in range(100):
                store.put(b"%d %d" % (batch, number), bytes(10_000))
            store.commit()

        log_bytes = path.with_name("store-wal").stat().st_size
    assert log_bytes < 2 * CHECKPOINT_PAGES * 4_096


def test_its_log_has_been_written_once_it_is_open(tmp_path: Path) -> None:
    """The first write opens the folder, to sync the log's name: a jailed worker cannot any more."""
    path = tmp_path / "store"
    for _ in range(2):
        with opened(path):
            assert path.with_name("store-wal").stat().st_size
        assert not path.with_name("store-wal").exists()


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    with opened(tmp_path / "store"):
        assert (tmp_path / "store").stat().st_mode & 0o777 == 0o600


def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "store"),
        pytest.raises(ConflictError, match="store: another process has it open"),
        opened(tmp_path / "store"),
    ):
        pass


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    _ = (tmp_path / "text").write_text("no database" * 1_000)
    other = sqlite3.connect(tmp_path / "database")
    _ = other.execute("CREATE TABLE other (a)")
    other.close()

    with pytest.raises(ConfigError, match="text: not a store: file is not a database"):
        _ = SqliteStore(tmp_path / "text", limit_bytes=1)
    with pytest.raises(ConfigError, match="database: not a store: magic 0x0 seen, 0x45495354"):
        _ = SqliteStore(tmp_path / "database", limit_bytes=1)


def test_a_layout_of_another_version_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "store"):
        pass
    newer = sqlite3.connect(tmp_path / "store")
    _ = newer.execute("PRAGMA user_version = 2")
    newer.close()

    with pytest.raises(ConfigError, match="store: layout 2 seen, 1 allowed"):
        _ = SqliteStore(tmp_path / "store", limit_bytes=1)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="nowhere/store: cannot be opened: No such file"):
        _ = SqliteStore(tmp_path / "nowhere" / "store", limit_bytes=1)


def test_a_disk_that_takes_no_more_fails_the_commit_and_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        store.put(b"before", b"1")
        store.commit()
        undo = UndoLog()
        store.begin(0.0, undo)
        store.put(b"large", bytes(500_000))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        try:
            with pytest.raises(LocalError, match="nothing of this batch was acknowledged"):
                store.commit()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        undo.undo_to(0)

        assert list(store.scan(b"")) == [(b"before", b"1")]
        store.begin(0.0, UndoLog())
        store.put(b"after", b"2")
        store.commit()
        assert list(store.scan(b"")) == [(b"after", b"2"), (b"before", b"1")]


def test_a_full_disk_is_said_with_the_remedy(tmp_path: Path) -> None:
    full = sqlite3.connect(tmp_path / "full")
    _ = full.execute("CREATE TABLE t (value)")
    _ = full.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.Error) as caught:
        _ = full.execute("INSERT INTO t VALUES (zeroblob(100000))")
    full.close()

    path = tmp_path / "store"
    failures = {
        commit_failure(path, caught.value): "nothing of this batch was acknowledged",
        open_failure(path, caught.value): "the store cannot be opened",
        open_failure(path, OSError(errno.ENOSPC, "No space left")): "the store cannot be opened",
    }

    for failure, consequence in failures.items():
        assert isinstance(failure, LimitError)
        assert str(failure) == f"{path}: the disk is full; {consequence}"
        assert failure.remedy == "Free space on the disk of the node's state folder."


WRITER = """
import sys
from pathlib import Path
from ei.runtime.stores import SqliteStore
from ei.runtime.stores.sqlite import commit_failure
from ei.runtime.undo import UndoLog

store = SqliteStore(Path(sys.argv[1]), limit_bytes=10**9)
for number in range(10**9):
    store.begin(0.0, UndoLog())
    store.put(b"%d" % number, bytes(1000))
    store.commit()
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    for round_number in range(5):
        path = tmp_path / f"store{round_number}"
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(20 + 7 * round_number):
                _ = writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            rest = writer.stdout.read().split()
        acknowledged = int(rest[-1]) if rest else 19 + 7 * round_number

        with opened(path, limit_bytes=10**9) as store:
            assert all(store.get(b"%d" % number) for number in range(acknowledged + 1))
