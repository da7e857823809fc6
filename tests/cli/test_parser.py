import argparse

import pytest

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Parser, UsageError, Verbs, suggestion


def nothing(_arguments: argparse.Namespace, _output: Output) -> Exit:
    return Exit.OK


def make() -> Parser:
    parser = Parser(prog="ei")
    lab = Verbs(parser, title="commands").add_noun("lab", summary="run a lab")
    lab.add("up", summary="start it", execute=nothing).takes("name", choices=["core", "demo"])
    return parser


def test_a_verb_has_its_function_and_the_flags_of_all() -> None:
    arguments = make().parse_args(["lab", "up", "core", "--json"])

    assert arguments.execute is nothing
    assert arguments.json
    assert not arguments.plain


def test_a_noun_alone_has_nothing_to_execute() -> None:
    assert make().parse_args(["lab"]).execute is None


def test_a_wrong_value_names_what_is_near() -> None:
    with pytest.raises(UsageError, match=r"'dmo' does not exist; did you mean demo\?") as refusal:
        make().parse_args(["lab", "up", "dmo"])

    assert refusal.value.command == "ei lab up"


def test_where_nothing_is_near_all_is_listed() -> None:
    assert suggestion("xyz", ["up", "down"]) == "; allowed: up, down"


def test_children_are_the_tree_of_commands() -> None:
    assert list(make().children["lab"].children) == ["up"]
