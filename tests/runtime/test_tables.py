"""A mistake in a table is named by its place, in words for people."""

from typing import Literal

import msgspec
import pytest

from ei.errors import ConfigError
from ei.runtime.tables import convert_table, suggestion


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table."""

    kind: Literal["tcp", "udp"] = "udp"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table with one in it."""

    decision_s: float
    inner: Inner = Inner()


def test_a_table_becomes_a_typed_value() -> None:
    assert convert_table({"decision_s": 5}, Config) == Config(5.0)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"decision": 5.0}, r"no key 'decision' in \[config\] is known; did you mean 'decision_s'"),
        ({}, r"`config\.decision_s` is missing"),
        ({"decision_s": "x"}, r"`config\.decision_s`"),
        (
            {"decision_s": 5.0, "inner": {"kind": "sctp"}},
            r"`config\.inner\.kind` cannot be 'sctp'; allowed: 'tcp', 'udp'",
        ),
    ],
)
def test_a_mistake_is_named_by_its_place(table: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _ = convert_table(table, Config, where="config")


def test_a_suggestion_names_the_near_miss_or_all() -> None:
    assert suggestion("ehco", ["echo", "delivery"]) == "; did you mean 'echo'?"
    assert suggestion("x", []) == "; allowed: none"
