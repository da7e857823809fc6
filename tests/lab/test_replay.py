"""What a replay promises."""

from pathlib import Path

import pytest
from tests.lab.test_scenario import write

from ei.lab.clock import VirtualClock
from ei.lab.replay import Event, Window, replay
from ei.lab.scenario import Scenario, load_scenario, run_in_simulation
from ei.lab.simulation import Simulation

SEED = 7
FURTHER = """
    await lab.kill("n")
    await lab.sleep(1)
    await lab.start("n")
    await lab.sleep(1)
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return load_scenario(write(tmp_path, further=FURTHER))


@pytest.fixture
def entries(scenario: Scenario) -> list[bytes]:
    return record(scenario)


def record(scenario: Scenario) -> list[bytes]:
    seen: list[bytes] = []

    def start(lab: Simulation, _clock: VirtualClock) -> None:
        assert lab.log is not None
        lab.log.watch = seen.append

    _ = run_in_simulation(scenario, seed=SEED, on_start=start)
    return seen


def test_a_run_is_the_same_again(scenario: Scenario, entries: list[bytes]) -> None:
    digest = run_in_simulation(scenario, seed=SEED).digest

    outcome = replay(scenario, iter(entries), seed=SEED)

    assert outcome.difference is None
    assert outcome.run_digest == digest
    assert outcome.digest == outcome.recorded_digest
    assert outcome.entries == len(entries)
    assert [event.number for event in outcome.events][-1] == len(entries)


def test_it_stops_at_a_time_and_shows_what_was_before(
    scenario: Scenario, entries: list[bytes]
) -> None:
    outcome = replay(scenario, iter(entries), seed=SEED, window=Window(until_s=0.5, limit=3))

    assert outcome.difference is None
    assert outcome.run_digest is None
    assert 3 < outcome.entries < len(entries)
    assert len(outcome.events) == 3
    assert all(event.at_s <= 0.5 for event in outcome.events)
    assert outcome.digest == outcome.recorded_digest


def test_only_one_host_in_a_span_of_time_is_shown(scenario: Scenario, entries: list[bytes]) -> None:
    window = Window(since_s=1e-6, until_s=1.0, node="bob.d", limit=1_000)

    events = replay(scenario, iter(entries), seed=SEED, window=window).events

    assert events
    assert all("bob.d" in {event.sender, event.receiver} for event in events)
    assert all(1e-6 <= event.at_s <= 1.0 for event in events)
    assert {"delivery", "data, sealed"} <= {event.what for event in events}
    assert {"forwarded", "delivered"} <= {event.fate for event in events}


def test_faults_are_among_the_events(scenario: Scenario, entries: list[bytes]) -> None:
    events = replay(scenario, iter(entries), seed=SEED, window=Window(limit=10_000)).events

    notes = [event.fate for event in events if not event.sender]
    assert notes == ["kill n.d", "start n.d"]


def test_the_first_difference_is_found_and_ends_it(
    scenario: Scenario, entries: list[bytes]
) -> None:
    changed = [*entries]
    changed[5] = changed[5][:-1] + b"X"

    outcome = replay(scenario, iter(changed), seed=SEED)

    assert outcome.difference is not None
    assert outcome.difference.number == 6
    assert outcome.difference.recorded.endswith("X")
    assert outcome.difference.replayed != outcome.difference.recorded
    assert outcome.entries == 6
    assert outcome.digest != outcome.recorded_digest


def test_a_run_that_is_longer_or_shorter_is_not_the_same(
    scenario: Scenario, entries: list[bytes]
) -> None:
    longer = replay(scenario, iter(entries[:5]), seed=SEED).difference
    shorter = replay(scenario, iter([*entries, entries[0]]), seed=SEED).difference

    assert longer is not None
    assert (longer.number, longer.recorded) == (6, "")
    assert shorter is not None
    assert (shorter.number, shorter.replayed) == (len(entries) + 1, "")


def test_a_log_that_was_kept_in_part_is_compared_in_part(
    scenario: Scenario, entries: list[bytes]
) -> None:
    outcome = replay(scenario, iter(entries[:5]), seed=SEED, is_whole=False)

    assert outcome.difference is None
    assert outcome.entries == 5


def test_who_steps_sees_one_event_after_another_and_may_end_it(
    scenario: Scenario, entries: list[bytes]
) -> None:
    seen: list[Event] = []

    def step(event: Event) -> bool:
        seen.append(event)
        return len(seen) < 3

    outcome = replay(scenario, iter(entries), seed=SEED, on_event=step)

    assert [event.number for event in seen] == [1, 2, 3]
    assert outcome.entries == 3
