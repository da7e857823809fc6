"""What `http-cache-tests` reports is read as it is meant."""

from pathlib import Path

import pytest

from ei.errors import LocalError
from ei.lab.scenario import load_scenario
from ei.scenarios.caching.suite import (
    FIELDS,
    INSTALL,
    SUITE,
    VERSION,
    Verdict,
    published,
    verdict_of,
)

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

    assert verdict == Verdict(frozenset("a"), ("age-parse-prefix", "b", "never-run"), 1)


def test_what_one_of_all_published_passes_can_be_passed(tmp_path: Path) -> None:
    _ = (tmp_path / "one.json").write_bytes(REPORT)
    _ = (tmp_path / "other.json").write_text('{"b": true, "c": ["TypeError", null]}')

    assert published(tmp_path) == {"a", "b"}


def test_results_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    _ = (tmp_path / "one.json").write_text("away")

    with pytest.raises(LocalError, match=r"one.json says 'away'"):
        _ = published(tmp_path)


def test_what_is_no_report_is_no_verdict() -> None:
    with pytest.raises(LocalError, match="no report"):
        _ = verdict_of(b"TypeError: fetch failed", REQUIRED)


def test_the_version_that_is_named_is_the_one_that_is_installed_for_tests() -> None:
    ground = Path(__file__).parents[3] / ".ci" / "ground"

    assert INSTALL.endswith(f"{SUITE}@{VERSION}")
    assert f'"{INSTALL}"' in ground.read_text()


def test_the_fields_of_its_requests_are_harmless_to_the_node_that_it_judges() -> None:
    topology = load_scenario("caching").topology

    assert topology.nodes["sn1.isp-b"].config == {"caching": {"harmless_fields": list(FIELDS)}}
