"""What `http-cache-tests` reports is read as it is meant."""

from pathlib import Path

import pytest

from ei.errors import LocalError
from ei.scenarios.caching.suite import INSTALL, SUITE, VERSION, Verdict, verdict_of

REPORT = b"""{
  "a": true,
  "b": ["Assertion", "Response 2 comes from cache"],
  "c": ["Setup", "Response 1 status is 502, not 200"],
  "age-parse-prefix": ["Assertion", "Response 2 does not come from cache"],
  "optional": ["Assertion", "not of the required ones"]
}"""
REQUIRED = ("a", "age-parse-prefix", "b", "c", "never-run")


def test_what_could_not_be_set_up_is_neither_passed_nor_failed() -> None:
    verdict = verdict_of(REPORT, REQUIRED)

    assert verdict == Verdict(1, ("age-parse-prefix", "b", "never-run"), 1)


def test_what_is_documented_is_no_news() -> None:
    assert verdict_of(REPORT, REQUIRED).unexplained == ("b", "never-run")


def test_what_is_no_report_is_no_verdict() -> None:
    with pytest.raises(LocalError, match="no report"):
        _ = verdict_of(b"TypeError: fetch failed", REQUIRED)


def test_the_version_that_is_named_is_the_one_that_is_installed_for_tests() -> None:
    ground = Path(__file__).parents[3] / ".ci" / "ground"

    assert INSTALL.endswith(f"{SUITE}@{VERSION}")
    assert f'"{INSTALL}"' in ground.read_text()
