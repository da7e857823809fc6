"""How a cost grows is told beside that of a few."""

from ei.bench.growth import figures_of, in_turn


def test_every_number_is_measured_in_turn_after_one_run_that_is_not_counted() -> None:
    asked: list[int] = []

    def run(count: int) -> float:
        asked.append(count)
        return float(len(asked))

    found = in_turn(run, (1, 10), runs=2)

    assert asked == [1, 10] * 3
    assert found == {1: [3.0, 5.0], 10: [4.0, 6.0]}


def test_only_the_highest_number_has_a_limit() -> None:
    few, many = figures_of(
        {1_000: [100.0, 110.0, 105.0], 1_000_000: [200.0] * 3},
        "hit with {} things", few=1_000, many=1_000_000, ratio=1.7, note="so",
    )  # fmt: skip

    assert (few.name, few.status, few.ratio) == ("hit with 1,000 things", "printed", 1.0)
    assert (many.name, many.status) == ("hit with 1,000,000 things", "missed")
    assert (many.limit, many.baseline, many.note) == (178.5, 105.0, "so; baseline: 1,000")
