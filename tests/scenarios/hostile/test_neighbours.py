from ei.scenarios.hostile.neighbours import KINDS, LEAST_PROBES, Pair, Window, judge


def window(p99_s: float, *, lost: int = 0, probes: int = 400) -> Window:
    slow = probes // 50
    return Window({kind: [0.0005] * (probes - slow) + [p99_s] * slow for kind in KINDS}, lost=lost)


def statuses(pairs: list[Pair]) -> list[str]:
    return [each.status for each in judge(pairs)]


def test_windows_that_are_alike_keep_all_promises() -> None:
    assert statuses([(window(0.001), window(0.0011))] * 3) == ["ok"] * 4


def test_the_median_counts() -> None:
    good, bad = (window(0.001), window(0.0011)), (window(0.001), window(0.004))

    assert statuses([good, bad, good])[0] == "ok"
    assert statuses([bad, bad, good])[0] == "broken"


def test_a_packet_that_was_lost_is_a_broken_promise() -> None:
    assert statuses([(window(0.001), window(0.001, lost=1))])[-1] == "broken"


def test_too_few_packets_show_nothing() -> None:
    few = window(0.001, probes=LEAST_PROBES - 1)

    assert statuses([(few, window(0.001))])[0] == "invalid"
