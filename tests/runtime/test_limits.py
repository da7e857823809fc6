import pytest

from ei.runtime.limits import CpuExceeded, EventClock, VirtualCost


def test_an_event_that_outlives_two_whole_ticks_is_interrupted() -> None:
    clock = EventClock()
    clock.event = 7
    clock.tick()
    clock.tick()

    with pytest.raises(CpuExceeded):
        clock.tick()


def test_events_that_come_and_go_between_ticks_are_not() -> None:
    clock = EventClock()
    for event in (7, 7, 8, 0, 0, 0, 9, 9):
        clock.event = event
        clock.tick()


def test_a_handler_that_catches_everything_usual_does_not_catch_it() -> None:
    assert not issubclass(CpuExceeded, Exception)


def test_a_virtual_cost_counts_effects_and_changes() -> None:
    cost = VirtualCost(event_s=1.0, effect_s=10.0, change_s=100.0)

    assert cost.of(effects=2, changes=3) == 321.0
