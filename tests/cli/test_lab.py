from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.lab import VERBS


def test_the_noun_alone_lists_its_verbs(ei: Run) -> None:
    said = ei("lab")

    assert said.code == Exit.ERROR
    for verb in VERBS:
        assert verb in said.err
