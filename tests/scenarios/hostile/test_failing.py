from ei.scenarios.hostile.failing import TRAPS, Trapped, judge

SEEN = Trapped([0.0, 0.15, 0.35, 0.65, 1.2, 6.3], {"running", "failing"}, asked=500, answered=500)


def statuses(seen: Trapped) -> list[str]:
    return [each.status for each in judge(seen, took_s=10.0)]


def test_a_circuit_that_opens_keeps_all_promises() -> None:
    assert statuses(SEEN) == ["ok"] * 5


def test_a_worker_that_is_started_at_once_each_time_breaks_them() -> None:
    eager = Trapped([number / 10 for number in range(100)], {"waiting"}, asked=500, answered=499)

    assert statuses(eager) == ["broken", "ok", "broken", "broken", "broken"]


def test_a_worker_that_was_never_seen_to_start_shows_nothing() -> None:
    assert "broken" in statuses(Trapped(asked=1, answered=1))


def test_traps_that_took_too_long_to_send_show_nothing() -> None:
    assert judge(SEEN, took_s=TRAPS)[0].status == "invalid"
