import argparse

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.lab_run import default_backend, parse_runs, parse_seed
from ei.lab.scenario import load_scenario


def test_a_seed_has_64_bits() -> None:
    assert parse_seed("18446744073709551615") == 2**64 - 1
    for text in ("-1", "18446744073709551616", "1.5", ""):
        with pytest.raises(argparse.ArgumentTypeError):
            parse_seed(text)


def test_at_least_one_run_is_asked_for() -> None:
    assert parse_runs("20") == 20
    for text in ("0", "-1", "100001", "many"):
        with pytest.raises(argparse.ArgumentTypeError):
            parse_runs(text)


def test_the_first_of_a_scenarios_backends_that_is_possible_runs_if_nobody_says() -> None:
    def found(*backends: str, has_namespaces: bool) -> str:
        return default_backend(backends, has_namespaces=lambda: has_namespaces)

    assert found("netns", "processes", has_namespaces=True) == "netns"
    assert found("netns", "processes", has_namespaces=False) == "processes"
    assert found("simulation", has_namespaces=True) == "simulation"
    assert found("netns", has_namespaces=False) == "netns", "which says what is missing"


@pytest.mark.parametrize(
    ("name", "backends"),
    [
        ("echo", ("simulation",)),
        ("ways-in", ("processes",)),
        ("cluster", ("processes",)),
        ("termination", ("netns", "processes")),
        ("pubsub", ("processes",)),
    ],
)
def test_scenarios_say_where_they_show_all(name: str, backends: tuple[str, ...]) -> None:
    assert load_scenario(name).backends == backends


def test_what_repeated_runs_cannot_do_is_said(ei: Run) -> None:
    said = ei("lab", "run", "echo", "--repeat", "2", "--capture", "x.pcapng")
    assert said.code == Exit.ERROR
    assert "one run" in said.err

    assert ei("lab", "run", "echo", "--seed", str(2**64 - 1), "--repeat", "2").code == Exit.ERROR


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--nodes", "20"), "go together"),
        (("--hosts", "20"), "go together"),
        (("--processes", "2"), "give --nodes and --hosts too"),
        (("--nodes", "20", "--hosts", "20", "--repeat", "2"), "for one simulation"),
        (("--nodes", "20", "--hosts", "20", "--backend", "processes"), "for one simulation"),
        (("--nodes", "20", "--hosts", "20", "--processes", "3"), "3 processes for 2 domains"),
    ],
)
def test_what_large_simulations_cannot_do_is_said(
    ei: Run, options: tuple[str, ...], said: str
) -> None:
    ended = ei("lab", "run", "core", *options)

    assert ended.code == Exit.ERROR
    assert said in ended.err


def test_more_than_a_lab_holds_is_refused_before_anything_is_made(ei: Run) -> None:
    ended = ei("lab", "run", "core", "--nodes", "20000", "--hosts", "20000")

    assert ended.code == Exit.LIMIT
    assert "40000 nodes and hosts in one lab, allowed are 32767" in ended.err


def test_a_scenario_that_promises_nothing_at_scale_names_one_that_does(ei: Run) -> None:
    ended = ei("lab", "run", "echo", "--nodes", "20", "--hosts", "20")

    assert ended.code == Exit.ERROR
    assert "ei lab run core --nodes 20 --hosts 20" in ended.err


@pytest.mark.slow
def test_a_large_simulation_has_the_same_digest_in_one_process_and_two(ei: Run) -> None:
    size = ("--nodes", "20", "--hosts", "40")
    one = ei("lab", "run", "core", *size, "--json")
    two = ei("lab", "run", "core", *size, "--processes", "2", "--json")

    assert len(str(one.document["digest"])) == 64
    assert one.document["digest"] == two.document["digest"]
    assert "hosts attach" in two.err


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


@pytest.mark.slow
def test_repeated_runs_are_one_document_with_the_worst_of_each_promise(ei: Run) -> None:
    said = ei("lab", "run", "echo", "--seed", "7", "--repeat", "2", "--json")

    assert said.code == Exit.OK, said.err
    assert (said.document["schema"], said.document["repeat"]) == ("ei.promises/1", 2)
    runs = said.document["runs"]
    assert isinstance(runs, list)
    assert [run["seed"] for run in runs] == [7, 8]
    assert "seed 8: " in said.err
