"""A log on a disk that crashes, rots and is full."""

from math import inf
from random import Random

import pytest
from tests.cluster.disks import FakeDisk

from ei.cluster.entries import ORIGIN, Verdict, make_entry
from ei.cluster.log import LOG, SNAPSHOT, Log
from ei.cluster.writes import Rows, Writes, encode_writes
from ei.errors import IntegrityError


def opened(disk: FakeDisk) -> tuple[Log, Rows]:
    rows = Rows()
    return Log(disk, rows, rotate_bytes=1_000, kept_entries=2), rows


def write(log: Log, count: int, *, epoch: int = 1) -> None:
    for _ in range(count):
        key = str(log.last.index + 1).encode()
        body = encode_writes(Writes(0.0, [(key, b"v", inf)], []))
        log.add(make_entry(log.last, epoch, body))
    log.sync()


def test_a_new_log_is_not_whole_until_it_is_said_to_be() -> None:
    disk = FakeDisk(Random(1))
    log, _ = opened(disk)
    assert (log.is_new, log.is_whole, log.last) == (True, False, ORIGIN)

    log.set_whole()

    again, _ = opened(disk)
    assert (again.is_new, again.is_whole) == (False, True)


def test_what_was_synced_is_there_again() -> None:
    disk = FakeDisk(Random(1))
    log, _ = opened(disk)
    log.set_whole()
    write(log, 3)
    last = log.last
    log.add(make_entry(last, 1, b"not synced"))

    disk.crash()

    again, rows = opened(disk)
    assert (again.last, again.is_whole) == (last, True)
    again.apply_to(3)
    assert len(rows) == 3


def test_a_long_log_is_cut_behind_a_snapshot() -> None:
    disk = FakeDisk(Random(1))
    log, _ = opened(disk)
    write(log, 40)

    log.apply_to(40)

    assert disk.length(SNAPSHOT) > 0
    assert log.statistics().first == 38
    again, rows = opened(disk)
    assert len(rows) == 40
    assert again.last == log.last
    assert again.point(37) is None


def test_what_another_epoch_overrules_is_taken_back() -> None:
    disk = FakeDisk(Random(1))
    log, _ = opened(disk)
    write(log, 3)
    log.apply_to(2)

    log.cut_after(2)

    assert log.last.index == 2
    assert opened(disk)[0].last.index == 2
    with pytest.raises(IntegrityError, match="entries to 2 are committed, not to 1"):
        log.cut_after(1)


def test_a_snapshot_of_another_member_takes_the_place_of_all() -> None:
    source, _ = opened(FakeDisk(Random(1)))
    write(source, 5)
    source.apply_to(5)
    disk = FakeDisk(Random(2))
    log, rows = opened(disk)
    write(log, 2, epoch=9)

    log.restore(source.snapshot())

    assert (log.last, len(rows), log.is_whole) == (source.last, 5, False)
    again, rows = opened(disk)
    assert (again.last, len(rows)) == (source.last, 5)


@pytest.mark.parametrize("name", [LOG, SNAPSHOT])
def test_d3_a_flipped_byte_of_either_file_makes_a_member_that_owns_nothing(name: str) -> None:
    for at in range(60):
        disk = FakeDisk(Random(1))
        log, _ = opened(disk)
        write(log, 40)
        log.apply_to(40)
        log.set_whole()
        assert opened(disk)[0].is_whole

        disk.flip(name, at)

        damaged, _ = opened(disk)
        assert (damaged.is_whole, damaged.found) == (False, Verdict.DAMAGED)
        assert not opened(disk)[0].is_whole, "not even after it was started again"


def test_d3_a_log_that_ends_before_its_snapshot_has_lost_something() -> None:
    disk = FakeDisk(Random(1))
    log, _ = opened(disk)
    log.set_whole()
    header = disk.length(LOG)
    write(log, 40)
    log.apply_to(40)

    disk.replace(LOG, (disk.read(LOG) or b"")[:header])

    again, _ = opened(disk)
    assert not again.is_whole or again.last == log.last


def test_a_disk_that_is_full_keeps_what_was_safe() -> None:
    disk = FakeDisk(Random(1))
    log, _ = opened(disk)
    write(log, 3)
    disk.is_full = True

    with pytest.raises(Exception, match="full"):
        write(log, 1)

    disk.is_full = False
    assert opened(disk)[0].last.index == 3
