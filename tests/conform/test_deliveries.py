from pathlib import Path

import pytest
from tests.conform.examples import case_of
from tests.conform.planted import HONEST, PLANTED

from ei.conform.deliveries import check_fates, check_soft_decisions, deliver, unbalanced

pytestmark = pytest.mark.slow


def test_a_decision_that_delivers_otherwise_is_named(tmp_path: Path) -> None:
    verdict = check_soft_decisions(case_of(tmp_path, PLANTED["decides otherwise than it does"]))

    assert verdict.result == "broken"
    assert "without a cache" in verdict.said


def test_an_honest_one_delivers_the_same(tmp_path: Path) -> None:
    case = case_of(tmp_path, HONEST)

    assert check_soft_decisions(case).result == "kept"
    assert check_fates(case).result == "kept"


def test_a_book_that_does_not_balance_is_said(tmp_path: Path) -> None:
    books = dict(deliver(case_of(tmp_path, HONEST), cache_entries=0).books)
    assert unbalanced(books) == ""
    books["answered"] = 0

    assert unbalanced(books) == "a missed packet without a fate"
