"""An archive without secrets."""

import json
import stat
import tarfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.cli.archive import (
    REDACTED,
    Part,
    redacted,
    without_what_services_are_told,
    write_archive,
)
from ei.errors import ConflictError

KEY = "5eC2e7" + "ab" * 29


@pytest.mark.parametrize("around", ["{}", "identity {}", "log: {},", 'x = "{}"', "ff{}00"])
def test_a_known_secret_is_nowhere(around: str) -> None:
    text = redacted(around.format(KEY) + around.format(KEY.upper()), [KEY])

    assert KEY.lower() not in text.lower()
    assert REDACTED in text


def test_what_is_called_a_secret_loses_its_value_and_stays_toml_and_json() -> None:
    table = {"api_token": 'a"b', "Password": "p, w", "plain": "seen", "private-key": "k"}
    toml = "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items())
    expected = {name: "seen" if name == "plain" else REDACTED for name in table}

    assert tomllib.loads(redacted(toml, [])) == expected
    assert json.loads(redacted(json.dumps(table), [])) == expected
    assert redacted("peer up  token=abc name=sn1", []) == f'peer up  token="{REDACTED}" name=sn1'


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_value_in_quotes_never_leaves_a_rest(value: str) -> None:
    text = redacted(json.dumps({"secret": value, "other": 1}), [])

    assert json.loads(text) == {"secret": REDACTED, "other": 1}


def test_c9_what_services_are_told_is_not_in_it_and_the_rest_is() -> None:
    config = """name = "sn1.isp-a"
[config.honest]
word = "marigold-9f27c1d4e8"
"with spaces" = 'a "b"'
nested = { list = ["x", "marigold-9f27c1d4e8, again"], number = 7 }
"""

    shown = tomllib.loads(without_what_services_are_told(config))

    assert shown["name"] == "sn1.isp-a"
    assert shown["config"]["honest"] == {
        "word": REDACTED,
        "with spaces": REDACTED,
        "nested": {"list": [REDACTED, REDACTED], "number": 7},
    }


def test_a_configuration_that_is_no_toml_is_shown_as_it_is() -> None:
    assert without_what_services_are_told("name = ") == "name = "


def test_the_archive_is_for_its_owner_alone_and_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.tar.gz"

    write_archive(path, [Part("sn1/log", "peer ✓\n")], unix_s=1_000)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        (member,) = archive.getmembers()
        content = archive.extractfile(member)
        assert content is not None
        assert (member.name, content.read().decode()) == ("report/sn1/log", "peer ✓\n")
    with pytest.raises(ConflictError):
        write_archive(path, [], unix_s=1_000)
