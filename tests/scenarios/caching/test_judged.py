"""As many required cases pass as with any other cache, and what is not installed is named."""

import pytest

from ei.scenarios.caching import judged
from ei.scenarios.caching.others import Other
from ei.scenarios.caching.suite import Verdict

AWAY = Other("Away", "away", "no-such-program", lambda *_: ())


def of(passed: int, *failed: str) -> Verdict:
    return Verdict(frozenset(map(str, range(passed))), failed, 0)


@pytest.mark.parametrize(
    ("theirs", "statuses"),
    [
        (of(2, "a"), ["ok", "ok"]),
        (of(1, "a", "b"), ["ok", "ok"]),
        (of(3, "a"), ["broken", "ok"]),
        (of(2), ["ok", "broken"]),
    ],
)
def test_ours_is_as_good_as_another_one(theirs: Verdict, statuses: list[str]) -> None:
    passing, failing = judged.beside(AWAY, of(2, "a"), theirs)

    assert [passing.status, failing.status] == statuses
    assert (passing.measured, passing.baseline) == (2, len(theirs.passed))
    assert (failing.measured, failing.baseline) == (1, len(theirs.failed))


def test_one_that_is_not_installed_is_not_compared_with() -> None:
    (promise,) = judged.beside(AWAY, of(2), None)

    assert promise.status == "unsupported"
    assert promise.name.endswith("Away; apt-get install away")


@pytest.mark.parametrize(
    ("ours", "measured", "limit", "status"),
    [
        (of(2), "none", "none", "ok"),
        (of(2, "a"), "a", "a", "ok"),
        (of(2, "a", "b"), "a, b", "a", "broken"),
        (of(2, "b"), "b", "none", "broken"),
    ],
)
def test_what_somebody_passes_is_to_be_passed(
    ours: Verdict, measured: str, limit: str, status: str
) -> None:
    promise = judged.excused(ours, {"b", "c"})

    assert (promise.measured, promise.limit.value, promise.status) == (measured, limit, status)
