"""A row is changed, and nothing around it."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ei.daemons.toml_rows import with_row, without_row
from ei.errors import ConfigError

FILE = """\
# A node.
version = 1  # of the format

[trust]  # whom we believe
isp-a = "00"

# Nobody yet.
# [neighbours]
[config.echo]
limit = 1
"""


def test_a_row_comes_first_in_its_table() -> None:
    assert with_row(FILE, "trust", "isp-b", "11") == FILE.replace(
        'isp-a = "00"', 'isp-b = "11"\nisp-a = "00"'
    )


def test_a_row_that_is_there_gets_the_new_value() -> None:
    assert with_row(FILE, "trust", "isp-a", "11") == FILE.replace('"00"', '"11"')


def test_a_table_that_is_not_there_comes_last() -> None:
    assert with_row(FILE, "neighbours", "isp-b", "peer") == (
        FILE + '\n[neighbours]\nisp-b = "peer"\n'
    )
    assert with_row("", "neighbours", "isp-b", "peer") == '[neighbours]\nisp-b = "peer"\n'


def test_a_name_that_is_no_bare_key_is_quoted_and_found_again() -> None:
    text = with_row(FILE, "trust", "isp.example", "11")

    assert '"isp.example" = "11"' in text
    assert without_row(text, "trust", "isp.example") == FILE


def test_a_row_is_taken_out_and_what_is_not_there_changes_nothing() -> None:
    assert without_row(FILE, "trust", "isp-a") == FILE.replace('isp-a = "00"\n', "")
    assert without_row(FILE, "trust", "isp-z") == FILE
    assert without_row(FILE, "neighbours", "isp-b") == FILE


@pytest.mark.parametrize("line", ['trust = { isp-a = "00" }', 'trust.isp-a = "00"'])
def test_other_ways_to_write_a_table_are_left_to_their_owner(line: str) -> None:
    with pytest.raises(ConfigError, match="not as a table") as raised:
        _ = with_row(line + "\n", "trust", "isp-b", "11")
    assert raised.value.remedy == 'Add by hand to trust: isp-b = "11"'

    with pytest.raises(ConfigError, match=r"trust\.isp-a is not in a table"):
        _ = without_row(line + "\n", "trust", "isp-a")


@given(some.text(max_size=20), some.text(max_size=20))
def test_whatever_is_written_is_read_back(key: str, value: str) -> None:
    if any(not letter.isprintable() for letter in key):
        return
    text = with_row(FILE, "trust", key, value)

    assert tomllib.loads(text)["trust"][key] == value
