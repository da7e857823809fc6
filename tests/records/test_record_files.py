"""A record file comes back whole or is refused."""

import fcntl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import ConfigError, IntegrityError
from ei.records.record_files import (
    decode_records,
    encode_records,
    locked,
    read_records,
    write_records,
)

ENVELOPES = [b"one", b"two" * 100]


def test_envelopes_come_back_from_a_file_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_records(tmp_path / "records.eir", [b"old"])
    write_records(tmp_path / "records.eir", ENVELOPES)

    assert read_records(tmp_path / "records.eir") == ENVELOPES
    assert [path.name for path in tmp_path.iterdir()] == ["records.eir"]


@given(st.integers(0, len(encode_records(ENVELOPES)) - 1))
def test_a_file_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(IntegrityError, match="not a record file"):
        decode_records(encode_records(ENVELOPES)[:length])


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(content: bytes) -> None:
    try:
        envelopes = decode_records(content)
    except IntegrityError:
        return
    assert decode_records(encode_records(envelopes)) == envelopes


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"records\.eir: No such file"):
        read_records(tmp_path / "records.eir")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "records.eir").write_bytes(b"\x93")

    with pytest.raises(IntegrityError, match=r"records\.eir"):
        read_records(tmp_path / "records.eir")


def test_who_changes_a_file_is_alone_with_it(tmp_path: Path) -> None:
    path = tmp_path / "records.eir"

    with locked(path):
        with (tmp_path / ".records.eir.lock").open("ab") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_records(path, ENVELOPES)

    with (tmp_path / ".records.eir.lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
