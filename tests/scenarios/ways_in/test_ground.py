"""What the scenario stands on."""

from ei.scenarios.ways_in.ground import BODY, OUTSIDE


def test_the_page_is_long_enough_to_be_cut_somewhere() -> None:
    assert len(BODY) == 20_480_000


def test_what_is_outside_is_looked_at_by_programs_that_are_everywhere() -> None:
    assert {words[0] for words in OUTSIDE} <= {"ip", "getent", "cat"}
