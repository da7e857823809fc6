"""Arguments of admin verbs are typed, and wrong ones are named."""

import msgspec
import pytest

from ei.daemons.messages import Request
from ei.daemons.verbs import NoArguments, arguments_of, to_answer
from ei.errors import LocalError


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments."""

    to: str
    count: int = 1


def test_arguments_become_a_struct() -> None:
    assert arguments_of(Request("ping", {"to": "bob"}), Wanted) == Wanted("bob", 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "missing required field `to`; it takes to, count"),
        ({"to": 1}, r"Expected `str`, got `int`"),
        ({"to": "x", "conut": 1}, "unknown field `conut`"),
    ],
)
def test_wrong_arguments_are_named_with_the_verb(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(LocalError, match=f"ping: .*{said}"):
        _ = arguments_of(Request("ping", arguments), Wanted)


def test_a_verb_without_arguments_takes_none() -> None:
    with pytest.raises(LocalError, match="it takes no arguments"):
        _ = arguments_of(Request("status", {"x": 1}), NoArguments)


def test_an_answer_has_its_schema_first() -> None:
    answer = to_answer(Wanted("bob"), schema="ei.x/1")

    assert list(answer.items()) == [("schema", "ei.x/1"), ("to", "bob"), ("count", 1)]
