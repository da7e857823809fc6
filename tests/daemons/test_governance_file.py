"""A governance file says who governs, or what is wrong with it."""

import json
from pathlib import Path

import pytest

from ei.daemons.governance_file import load_governance, write_governance
from ei.errors import ConfigError, ConflictError
from ei.records.governance import Governance

KEYS = (b"a" * 32, b"b" * 32, b"c" * 32)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "governance.toml"
    write_governance(path, KEYS, 2)

    assert load_governance(path) == Governance(frozenset(KEYS), 2)


@pytest.mark.parametrize(
    ("keys", "threshold", "said"),
    [
        (["61" * 32, "61" * 32], 1, "one key is there twice"),
        (["61" * 32], 2, "threshold of 2 with 1 keys can never be reached; allowed are 1 to 1"),
        (["616263"], 1, "3 bytes seen, an Ed25519 key has 32"),
        (["61" * 32], 0, "threshold"),
        ([], 1, "keys"),
    ],
)
def test_a_set_that_cannot_govern_is_refused(
    tmp_path: Path, keys: list[str], threshold: int, said: str
) -> None:
    path = tmp_path / "governance.toml"
    _ = path.write_text(f"version = 1\nthreshold = {threshold}\nkeys = {json.dumps(keys)}\n")

    with pytest.raises(ConfigError, match=said):
        load_governance(path)


def test_nothing_is_written_that_could_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "governance.toml"

    with pytest.raises(ConfigError, match="can never be reached"):
        write_governance(path, KEYS, 4)

    assert not path.exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "governance.toml"
    write_governance(path, KEYS, 2)

    with pytest.raises(ConflictError):
        write_governance(path, KEYS, 1)

    assert load_governance(path).threshold == 2
