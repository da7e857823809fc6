"""`ei pub` and what it refuses; what arrives is in `test_sub.py`."""

from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_too_few_words_are_refused(ei: Run) -> None:
    said = ei("pub", "alice", "weather")

    assert said.code == Exit.ERROR
    assert "HOST, SUBJECT and MESSAGE needed, 2 given" in said.err


def test_its_help_shows_how_to_keep(ei: Run) -> None:
    assert "ei pub alice weather/oslo rain --keep" in ei("pub", "--help").out
