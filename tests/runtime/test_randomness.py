import hashlib
from collections.abc import Callable
from random import Random

import pytest

from ei.runtime.randomness import MOST_BYTES, EventRandomness


def drawn(randomness: EventRandomness, event: int) -> float:
    randomness.event = event
    return randomness.of_event().random()


def test_an_event_draws_the_same_whatever_was_drawn_before() -> None:
    busy, idle = EventRandomness(b"5"), EventRandomness(b"5")
    for event in range(10):
        _ = drawn(busy, event)

    assert drawn(busy, 10) == drawn(idle, 10)


def test_events_and_seeds_draw_apart() -> None:
    draws = {drawn(EventRandomness(seed), event) for seed in (b"1", b"2") for event in (1, 2)}

    assert len(draws) == 4


def test_within_an_event_the_generator_goes_on() -> None:
    randomness = EventRandomness(b"5")

    assert randomness.of_event() is randomness.of_event()


def test_what_is_drawn_has_all_its_bits_and_no_others() -> None:
    random = EventRandomness(b"5").of_event()

    numbers = [random.getrandbits(13) for _ in range(1_000)]

    assert max(numbers) < 2**13 <= 2 * max(numbers)
    assert 0 <= min(random.random() for _ in range(1_000)) < 0.01
    assert sorted(random.sample(range(100), 100)) == list(range(100))
    assert [len(random.randbytes(size)) for size in (0, 1, 64, 1_000)] == [0, 1, 64, 1_000]
    assert random.getrandbits(0) == 0


def test_bytes_are_the_same_in_one_piece_and_in_several() -> None:
    whole, parts = EventRandomness(b"5").of_event(), EventRandomness(b"5").of_event()

    assert whole.randbytes(200) == b"".join(parts.randbytes(size) for size in (1, 63, 100, 36))


@pytest.mark.parametrize(
    "draw", [lambda its: its.getrandbits(2**40), lambda its: its.randbytes(MOST_BYTES + 1)]
)
def test_c10_more_than_a_million_bytes_at_once_are_refused(
    draw: Callable[[Random], object],
) -> None:
    random = EventRandomness(b"5").of_event()

    with pytest.raises(ValueError, match="of randomness at once: at most 1048576 allowed"):
        _ = draw(random)

    assert len(random.randbytes(MOST_BYTES)) == MOST_BYTES


def test_nothing_of_one_event_is_left_for_the_next() -> None:
    busy, idle = EventRandomness(b"5"), EventRandomness(b"5")
    busy.event = idle.event = 1
    _ = busy.of_event().gauss()
    _ = busy.of_event().randbytes(1)
    busy.event = idle.event = 2

    assert busy.of_event().gauss() == idle.of_event().gauss()
    assert busy.of_event().randbytes(9) == idle.of_event().randbytes(9)


def test_its_bits_are_pinned() -> None:
    randomness = EventRandomness(bytes(32))
    randomness.event = 7

    assert (
        randomness.of_event().randbytes(8)
        == hashlib.blake2b((7).to_bytes(8, "little") + bytes(8), key=bytes(32)).digest()[:8]
    )
