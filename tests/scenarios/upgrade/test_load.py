"""What the load of the scenario counts."""

from ei.scenarios.upgrade.load import Seen


def test_answers_are_counted_by_version_with_the_gap_between_them() -> None:
    seen = Seen()

    for number, version, now_s in ((1, 1, 1.0), (2, 1, 1.1), (3, 2, 1.5), (3, 2, 1.6)):
        seen.note(number, version, now_s)

    assert seen.acknowledged == {1, 2, 3}
    assert (seen.last, seen.versions[1], seen.versions[2]) == (2, 2, 2)
    assert round(seen.gap_s, 3) == 0.4
