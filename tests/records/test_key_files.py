"""Key files keep keys, whole, for their owner alone."""

import os
import stat
from pathlib import Path

import pytest

from ei.errors import ConfigError, ConflictError, DeniedError, IntegrityError
from ei.records.key_files import read_keys, write_keys
from ei.records.keys import make_keys

KEYS = make_keys(b"a" * 32)


def test_keys_come_back_from_a_file_that_only_the_owner_can_read(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write_keys(tmp_path / "key", KEYS)
    finally:
        os.umask(old)

    assert read_keys(tmp_path / "key") == KEYS
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    write_keys(tmp_path / "key", KEYS)

    with pytest.raises(ConflictError, match="never overwritten") as caught:
        write_keys(tmp_path / "key", make_keys(b"b" * 32))

    assert "mv " in caught.value.remedy
    assert read_keys(tmp_path / "key") == KEYS


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_file_that_others_may_use_is_refused_with_the_command_that_cures_it(
    tmp_path: Path, mode: int
) -> None:
    write_keys(tmp_path / "key", KEYS)
    (tmp_path / "key").chmod(mode)

    with pytest.raises(DeniedError, match=f"mode {mode:04o}.*allowed is 0600") as caught:
        read_keys(tmp_path / "key")

    assert f"chmod 600 {tmp_path / 'key'}" in caught.value.remedy


def test_a_missing_key_file_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no key file") as caught:
        read_keys(tmp_path / "key")

    assert "init" in caught.value.remedy


def test_a_link_in_the_place_of_a_key_file_is_refused(tmp_path: Path) -> None:
    write_keys(tmp_path / "key", KEYS)
    (tmp_path / "link").symlink_to(tmp_path / "key")

    with pytest.raises(ConfigError, match="no key file"):
        read_keys(tmp_path / "link")


def test_any_changed_byte_of_a_key_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_keys(path, KEYS)
    content = path.read_bytes()

    for position in range(0, len(content), 7):
        path.write_bytes(
            content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
        )
        with pytest.raises((IntegrityError, ConfigError)):
            read_keys(path)


def test_a_key_file_of_a_later_version_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_keys(path, KEYS)
    path.write_text(path.read_text().replace("ei-key 1", "ei-key 2"))

    with pytest.raises(ConfigError, match="version 2; this program reads 1"):
        read_keys(path)
