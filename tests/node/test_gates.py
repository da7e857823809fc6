"""A new version that does worse than the one before is found out; few events say nothing."""

import pytest

from ei.node.gates import Gates, Tally, tally
from ei.node.status import ServiceStatus


def verdict(before: Tally, seen: Tally, now_s: float = 5.0) -> str:
    """What is said of a version that does `seen` after one that has done `before`."""
    gates = Gates(most=0.01, watch_s=60)
    gates.begin("hello", before, before, now_s=0.0)
    now = Tally(before.events + seen.events, before.failed + seen.failed)
    return gates.verdicts({"hello": now}, now_s=now_s).get("hello", "")


@pytest.mark.parametrize(
    ("before", "seen"),
    [
        (Tally(1_000, 0), Tally(1_000, 0)),
        (Tally(1_000, 0), Tally(1_000, 10)),
        (Tally(1_000, 0), Tally(8, 2)),
        (Tally(1_000, 50), Tally(1_000, 60)),
        (Tally(), Tally()),
    ],
)
def test_what_does_no_worse_or_too_little_stays(before: Tally, seen: Tally) -> None:
    assert verdict(before, seen) == ""


def test_d9_five_failures_of_a_hundred_are_seen_at_once() -> None:
    said = verdict(Tally(1_000, 0), Tally(100, 5))

    assert said == "5 of 100 events failed, 5.0%; allowed are 1.0%, as 0 of 1000 did before"


def test_after_its_time_a_version_is_sound() -> None:
    assert verdict(Tally(), Tally(100, 50), now_s=60.0) == ""


def test_the_version_before_is_held_against_its_own_time_alone() -> None:
    gates = Gates(most=0.01, watch_s=60)
    gates.begin("hello", Tally(1_000, 500), Tally(1_000, 500), now_s=0.0)
    assert gates.end("hello", Tally(1_100, 510)) == Tally(100, 10)
    assert not gates.is_watching

    gates.begin("hello", Tally(2_100, 510), Tally(2_100, 510), now_s=10.0)

    assert gates.is_watching
    assert "10 of 100" in gates.verdicts({"hello": Tally(2_200, 520)}, now_s=11.0)["hello"]
    assert gates.verdicts({}, now_s=70.0) == {}
    assert not gates.is_watching


def test_events_are_counted_of_packets_and_of_others() -> None:
    service = ServiceStatus(
        number=200,
        name="hello",
        version="1.0.0",
        events=98,
        dropped={"worker_lost": 2, "service_error": 3, "no_members": 7},
        counters={"service_error": 1, "joins": 4},
    )

    assert tally(service) == Tally(100, 6)
