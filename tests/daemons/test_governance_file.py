"""A governance file says who governs, or what is wrong with it."""

from pathlib import Path

import pytest

from ei.daemons.governance_file import governance_text, load_governance
from ei.errors import ConfigError
from ei.records.governance import Governance

KEYS = (b"a" * 32, b"b" * 32, b"c" * 32)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "governance.toml"
    _ = path.write_text(governance_text(path, KEYS, 2))

    assert load_governance(path) == Governance(frozenset(KEYS), 2)


@pytest.mark.parametrize(
    ("keys", "threshold", "said"),
    [
        ((KEYS[0], KEYS[0]), 1, "one key is there twice"),
        (KEYS, 4, "4 of 3 keys can never sign; allowed are 1 to 3"),
        ((b"short",), 1, "5 bytes seen, an Ed25519 key has 32"),
        (KEYS, 0, "threshold"),
        ((), 1, "keys"),
    ],
)
def test_a_set_that_cannot_govern_is_refused(
    tmp_path: Path, keys: tuple[bytes, ...], threshold: int, said: str
) -> None:
    path = tmp_path / "governance.toml"
    _ = path.write_text(governance_text(path, keys, threshold))

    with pytest.raises(ConfigError, match=said):
        load_governance(path)
