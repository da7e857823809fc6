from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_an_unknown_figure_is_refused_with_those_that_there_are(ei: Run) -> None:
    said = ei("bench", "hitt")

    assert said.code == Exit.NEGATIVE
    assert "no figure 'hitt'" in said.err.lower()
    assert "hit" in said.err
