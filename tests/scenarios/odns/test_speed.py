from pathlib import Path

from ei.scenarios.odns.asking import Performed
from ei.scenarios.odns.bind import NAMES
from ei.scenarios.odns.speed import lost, questions


def test_what_has_no_good_answer_is_lost() -> None:
    assert lost("all", Performed(100, 100, 0, 0, 10.0)).status == "ok"
    assert lost("all", Performed(100, 99, 1, 2, 10.0)).measured == 3
    assert lost("all", Performed(100, 100, 0, 0, 10.0), is_valid=False).status == "invalid"


def test_dnsperf_asks_for_all_names(tmp_path: Path) -> None:
    lines = questions(tmp_path).read_text().splitlines()

    assert len(lines) == NAMES
    assert lines[0] == "www0.signed.example A"
