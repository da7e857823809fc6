"""A file crosses whole, or not at all."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from ei.errors import LimitError, LocalError, StreamError
from ei.host.files import Transferred, receive_file, send_file
from ei.host.streams import Stream
from ei.lab.simulation import Simulation

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]
DATA = bytes(range(256)) * 2_000


async def joined(lab: Simulation) -> tuple[Stream, Stream]:
    """Return a stream from alice to bob, and its other end."""
    with lab.host("bob").accept_streams(80) as listener:
        near = await lab.host("alice").open_stream("bob.right", 80, deadline_s=2)
        return near, await listener.accept(deadline_s=2)


def ignore(_done: int, _total: int) -> None:
    """Take no note of progress."""


def test_a_file_arrives_with_the_same_hash(in_lab: InLab, tmp_path: Path) -> None:
    _ = (tmp_path / "sent").write_bytes(DATA)
    seen: list[tuple[int, int]] = []

    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(
                send_file(near, tmp_path / "sent", deadline_s=5, on_progress=ignore)
            )
            received = await receive_file(
                far,
                tmp_path / "got",
                deadline_s=5,
                on_progress=lambda done, total: seen.append((done, total)),
            )
        expected = Transferred(len(DATA), hashlib.sha256(DATA).hexdigest())
        assert await sending == received == expected

    in_lab(script)

    assert (tmp_path / "got").read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got", "sent"]


def test_an_empty_file_is_a_file(in_lab: InLab, tmp_path: Path) -> None:
    _ = (tmp_path / "sent").write_bytes(b"")

    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(
                send_file(near, tmp_path / "sent", deadline_s=5, on_progress=ignore)
            )
            _ = await receive_file(far, tmp_path / "got", deadline_s=5, on_progress=ignore)

    in_lab(script)

    assert (tmp_path / "got").read_bytes() == b""


def test_a_file_that_ends_early_leaves_the_old_one(in_lab: InLab, tmp_path: Path) -> None:
    _ = (tmp_path / "got").write_bytes(b"old")

    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        await near.write((100).to_bytes(8, "little") + b"too short")
        await near.finish()

        with pytest.raises(StreamError, match="ended after 9 of 100 B"):
            _ = await receive_file(far, tmp_path / "got", deadline_s=5, on_progress=ignore)

    in_lab(script)

    assert (tmp_path / "got").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["got"]


def test_an_absurd_length_is_refused_before_anything_is_written(
    in_lab: InLab, tmp_path: Path
) -> None:
    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        await near.write((2**60).to_bytes(8, "little"))

        with pytest.raises(LimitError, match="is announced; allowed are"):
            _ = await receive_file(far, tmp_path / "got", deadline_s=5, on_progress=ignore)

    in_lab(script)

    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named(in_lab: InLab, tmp_path: Path) -> None:
    async def script(lab: Simulation) -> None:
        near, _ = await joined(lab)

        with pytest.raises(LocalError, match=r"cannot open .*nothing: No such file"):
            _ = await send_file(near, tmp_path / "nothing", deadline_s=5, on_progress=ignore)

    in_lab(script)


def test_a_full_disk_is_said(in_lab: InLab, tmp_path: Path) -> None:
    # /dev/full fails every write with ENOSPC; the part file is a link to it.
    (tmp_path / ".got.part").symlink_to("/dev/full")

    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        await near.write((100_000).to_bytes(8, "little") + bytes(100_000))

        with pytest.raises(LimitError, match=r"cannot write .*got: No space left"):
            _ = await receive_file(far, tmp_path / "got", deadline_s=5, on_progress=ignore)

    in_lab(script)
