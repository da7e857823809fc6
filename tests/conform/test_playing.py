from pathlib import Path

from tests.conform.examples import case_of, nobody
from tests.conform.planted import PLANTED

from ei.conform.playing import record
from ei.runtime.limits import EventClock


def test_a_story_played_again_is_the_same(tmp_path: Path) -> None:
    case = case_of(tmp_path)

    assert record(case.loaded, case.story, watch=nobody) == case.reference


def test_faults_are_taken_down_with_the_event_that_they_are_of(tmp_path: Path) -> None:
    case = case_of(tmp_path, PLANTED["forgets to answer"])

    words = {fault.word for heard in case.reference.heard for fault in heard.faults}

    assert words == {"no_answer"}
    assert all(heard.sent.first for heard in case.reference.heard if heard.faults)


def test_who_watches_is_told_of_the_clock(tmp_path: Path) -> None:
    case = case_of(tmp_path)
    clocks: list[EventClock] = []

    _ = record(case.loaded, case.story, watch=clocks.append)

    assert len(clocks) == 1
