"""What /proc says is read as it is meant."""

from ei.lab.cpu_time import ticks_of, used_s

STAT = "71 (a (b) c) S 1 71 70 0 -1 0 0 0 0 0 200 50 9 9 20 0 1 0"


def test_time_counts_for_a_process_and_for_its_session() -> None:
    assert ticks_of(71, STAT, {71}) == 250
    assert ticks_of(71, STAT, {70}) == 250
    assert ticks_of(71, STAT, {1, 69}) == 0


def test_time_only_grows() -> None:
    assert 0 <= used_s(()) <= used_s(())
