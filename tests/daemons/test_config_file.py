"""Configuration files are typed, and mistakes in them are named."""

import tomllib
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.daemons.config_file import parse_config, read_config, toml_string, toml_value
from ei.errors import ConfigError

WRITABLE = st.characters(exclude_categories=["Cs"])


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table."""

    delay_ms: int = 0
    kind: Literal["tcp", "udp"] = "udp"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file."""

    name: str
    inner: Inner = Inner()
    maybe: Inner | None = None
    version: Literal[1] = 1


def test_a_file_becomes_a_typed_value(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('name = "é"\n[inner]\ndelay_ms = 3\n')

    assert read_config(tmp_path / "x.toml", Config) == Config("é", Inner(3))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('nam = "x"', "no key 'nam' is known; did you mean 'name'"),
        ('name = "x"\nzzzz = 1', "no key 'zzzz' is known; allowed: name, inner, maybe, version"),
        ('name = "x"\n[inner]\ndelay = 1', r"no key 'delay' in \[inner\] is known"),
        ('name = "x"\n[maybe]\ndelay = 1', r"no key 'delay' in \[maybe\] is known"),
        ('name = "x"\n[inner]\ndelay_ms = "y"', "Expected `int`, got `str` - at `inner.delay_ms`"),
        ("", "^`name` is missing$"),
        ("name = 'x'\nversion = 2", "^`version` cannot be 2; allowed: 1$"),
        (
            "name = 'x'\n[maybe]\nkind = 'up'",
            "^`maybe.kind` cannot be 'up'; allowed: 'tcp', 'udp'$",
        ),
        ("name = ", "not TOML"),
        ("name = " + "[" * 50_000, "nested too deeply"),
        ("name = " + "9" * 5_000, "not TOML: Exceeds the limit"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _ = parse_config(text, Config)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*x\.toml: No such file"):
        _ = read_config(tmp_path / "x.toml", Config)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match=r"x\.toml is not UTF-8"):
        _ = read_config(tmp_path / "x.toml", Config)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"#" * 1_048_577)

    with pytest.raises(ConfigError, match="larger than the allowed 1048576 B"):
        _ = read_config(tmp_path / "x.toml", Config)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    try:
        config = parse_config(text, Config)
    except ConfigError:
        return
    assert isinstance(config.name, str)


@given(st.text(WRITABLE, max_size=50))
def test_any_string_survives_being_written_as_toml(value: str) -> None:
    assert tomllib.loads(f"x = {toml_string(value)}") == {"x": value}


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(WRITABLE),
    lambda values: st.lists(values) | st.dictionaries(st.text(WRITABLE), values),
    max_leaves=10,
)


@given(VALUES)
def test_any_value_survives_being_written_as_toml(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}") == {"x": value}


def test_what_toml_has_no_word_for_is_said() -> None:
    with pytest.raises(ConfigError, match="None is a NoneType; allowed: text, number"):
        _ = toml_value([None])
