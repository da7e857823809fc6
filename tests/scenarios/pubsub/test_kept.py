"""What was acknowledged is held against what was read."""

from ei.scenarios.pubsub.kept import Kept, p99, unpack


def test_what_was_acknowledged_and_not_read_is_lost() -> None:
    assert Kept(acknowledged=[1, 2, 3], read=[1, 3, 4]).lost == 1


def test_what_is_read_twice_or_late_is_misplaced() -> None:
    assert Kept(read=[1, 2, 2, 5, 4, 6]).misplaced == 2


def test_the_99th_percentile() -> None:
    assert p99([float(number) for number in range(1_000)]) == 990.0
    assert p99([]) == 0.0


def test_a_message_has_its_number_and_its_time() -> None:
    assert unpack((7).to_bytes(8, "little") + (9).to_bytes(8, "little") + b"rest") == (7, 9)
