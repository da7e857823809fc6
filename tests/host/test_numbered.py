"""Numbered packets tell losses, copies and reordering apart."""

from hypothesis import given
from hypothesis import strategies as st

from ei.host.numbered import MAX_NUMBER, Collector, encode_numbered

US = 1_000


def test_the_bytes_are_pinned() -> None:
    assert encode_numbered(3, 5, 20).hex() == "0300000000000000" + "0500000000000000" + "00000000"


@given(st.lists(st.integers(0, 200), max_size=300))
def test_every_packet_is_new_or_a_copy(numbers: list[int]) -> None:
    collector = Collector()

    for number in numbers:
        collector.take(encode_numbered(number, 0, 64), 0)

    collected = collector.statistics()
    assert collected.packets == len(numbers)
    assert collected.distinct == len(set(numbers))
    assert collected.duplicates == len(numbers) - len(set(numbers))
    assert collected.highest == max(numbers, default=-1)
    assert collected.payload_bytes == 64 * len(numbers)


def test_what_comes_after_a_larger_number_is_reordered() -> None:
    collector = Collector()

    for number in (0, 2, 1, 3):
        collector.take(encode_numbered(number, 0, 16), 0)

    assert collector.statistics().reordered == 1


def test_latencies_are_kept_by_powers_of_two() -> None:
    collector = Collector()

    for number, latency_us in enumerate((0, 1, 3, 4, 1_000)):
        collector.take(encode_numbered(number, 7 * US, 16), (7 + latency_us) * US)

    collected = collector.statistics()
    assert collected.latency_us == {1: 1, 2: 1, 4: 1, 8: 1, 1024: 1}
    assert collected.max_latency_us == 1_000


def test_what_is_not_numbered_is_foreign() -> None:
    collector = Collector()

    for payload in (b"", b"short", encode_numbered(MAX_NUMBER, 0, 16)):
        collector.take(payload, 0)

    collected = collector.statistics()
    assert (collected.packets, collected.foreign, collected.duplicates) == (3, 3, 0)
