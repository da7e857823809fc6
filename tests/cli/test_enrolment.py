import argparse
from pathlib import Path

import pytest

from ei.cli.enrolment import folder_of, open_roll, randomness
from ei.errors import ConfigError
from ei.records.key_files import write_keys
from ei.records.keys import make_keys


def arguments(tmp_path: Path, name: str = "sn1.isp-a") -> argparse.Namespace:
    return argparse.Namespace(
        name=name,
        domain_number=1,
        domain_key=tmp_path / "domain.key",
        records=tmp_path / "records.eir",
        folder=None,
    )


def test_the_domain_of_a_name_signs_it(tmp_path: Path) -> None:
    write_keys(tmp_path / "domain.key", make_keys(bytes(32)))

    roll = open_roll(arguments(tmp_path))

    assert roll.issuer.name == "isp-a"
    assert roll.issuer.expires_unix_s > roll.unix_s


def test_without_a_domain_nobody_can_sign(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names no domain"):
        open_roll(arguments(tmp_path, "sn1"))


def test_files_go_to_a_folder_of_the_name_by_default(tmp_path: Path) -> None:
    assert folder_of(arguments(tmp_path)) == Path("sn1.isp-a")


def test_new_keys_differ() -> None:
    assert randomness() != randomness()
