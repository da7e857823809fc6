from pathlib import Path

from tests.conform.examples import EVENTS, case_of
from tests.conform.planted import PLANTED


def test_a_case_has_what_the_module_made_of_each_event(tmp_path: Path) -> None:
    case = case_of(tmp_path)

    assert sum(heard.sent.first > 0 for heard in case.reference.heard) == EVENTS
    assert case.runaway.result == "kept"


def test_faults_are_no_end_of_a_story(tmp_path: Path) -> None:
    case = case_of(tmp_path, PLANTED["raises"])

    assert case.story.events == EVENTS
