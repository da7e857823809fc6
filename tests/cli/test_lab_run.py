import argparse

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.lab_run import parse_seed


def test_a_seed_has_64_bits() -> None:
    assert parse_seed("18446744073709551615") == 2**64 - 1
    for text in ("-1", "18446744073709551616", "1.5", ""):
        with pytest.raises(argparse.ArgumentTypeError):
            parse_seed(text)


def test_an_unknown_scenario_is_refused_with_those_that_there_are(ei: Run) -> None:
    said = ei("lab", "run", "ecko")

    assert said.code == Exit.NEGATIVE
    assert "echo" in said.err


@pytest.mark.slow
def test_two_runs_from_one_seed_have_one_digest(ei: Run) -> None:
    first = ei("lab", "run", "echo", "--seed", "7", "--json")
    second = ei("lab", "run", "echo", "--seed", "7", "--json")
    other = ei("lab", "run", "echo", "--seed", "8", "--json")

    assert first.code == Exit.OK, first.err
    assert first.document["schema"] == "ei.promises/1"
    assert first.document["digest"] == second.document["digest"]
    assert first.document["digest"] != other.document["digest"]
