from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conform.examples import case_of
from tests.conform.planted import HONEST, PLANTED

from ei.conform.cases import Case
from ei.conform.reading import check_metadata_unread, check_payload_unread
from ei.conform.verdicts import Verdict


def test_who_looks_at_payloads_is_named_with_the_event(tmp_path: Path) -> None:
    planted = PLANTED["reads payloads without the capability"]

    verdict = check_payload_unread(case_of(tmp_path, planted))

    assert (verdict.result, verdict.event > 0) == ("broken", True)
    assert "Count(name='seen'" in verdict.said


def test_who_reads_more_metadata_than_matched_is_named(tmp_path: Path) -> None:
    planted = PLANTED["reads more metadata than it says"]

    assert check_metadata_unread(case_of(tmp_path, planted)).result == "broken"


@pytest.mark.parametrize(
    ("check", "result"), [(check_payload_unread, "kept"), (check_metadata_unread, "none")]
)
def test_an_honest_one_is_not(
    check: Callable[[Case], Verdict], result: str, tmp_path: Path
) -> None:
    assert check(case_of(tmp_path, HONEST)).result == result
