"""What a directory has acknowledged is there after a restart; what finds no room is not."""

from pathlib import Path

import pytest

from ei.errors import LimitError
from ei.node.registered import RegisteredStore
from ei.sdk.packets import Address

HOST, OTHER = Address(b"h" * 16), Address(b"o" * 16)


def test_what_was_kept_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    store = RegisteredStore(tmp_path / "directory.sqlite")
    store.keep(HOST, b"1")
    store.keep(HOST, b"2")
    store.keep(OTHER, b"3")
    store.forget(OTHER)
    store.commit()
    store.keep(HOST, b"never committed")
    store.close()

    again = RegisteredStore(tmp_path / "directory.sqlite")

    assert list(again.load()) == [b"2"]
    again.close()


def test_what_finds_no_room_leaves_what_was_there(tmp_path: Path) -> None:
    store = RegisteredStore(tmp_path / "directory.sqlite", limit_bytes=1_000)
    store.keep(HOST, b"1")

    with pytest.raises(LimitError):
        store.keep(HOST, bytes(2_000))

    store.keep(OTHER, b"2")
    assert sorted(store.load()) == [b"1", b"2"]
    store.close()
