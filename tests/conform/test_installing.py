from pathlib import Path

from tests.conform.examples import case_of
from tests.conform.planted import HONEST, PLANTED

from ei.conform.installing import check_install_first


def test_a_decision_for_another_packet_is_named(tmp_path: Path) -> None:
    verdict = check_install_first(case_of(tmp_path, PLANTED["decides for another connection"]))

    assert verdict.result == "broken"
    assert "not its own packet's key" in verdict.said


def test_a_module_that_decides_nothing_has_nothing_to_keep(tmp_path: Path) -> None:
    assert check_install_first(case_of(tmp_path, PLANTED["raises"])).result == "none"


def test_an_honest_one_keeps_it(tmp_path: Path) -> None:
    assert check_install_first(case_of(tmp_path, HONEST)).result == "kept"
