from ei.runtime.randomness import EventRandomness


def drawn(randomness: EventRandomness, event: int) -> float:
    randomness.event = event
    return randomness.of_event().random()


def test_an_event_draws_the_same_whatever_was_drawn_before() -> None:
    busy, idle = EventRandomness(seed=5), EventRandomness(seed=5)
    for event in range(10):
        _ = drawn(busy, event)

    assert drawn(busy, 10) == drawn(idle, 10)


def test_events_and_seeds_draw_apart() -> None:
    draws = {drawn(EventRandomness(seed=seed), event) for seed in (1, 2) for event in (1, 2)}

    assert len(draws) == 4


def test_within_an_event_the_generator_goes_on() -> None:
    randomness = EventRandomness(seed=5)

    assert randomness.of_event() is randomness.of_event()
