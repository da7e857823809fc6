"""What is saved is on the disk, in order, and what does not fit harms nobody else."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ei.errors import ConflictError, LimitError
from ei.ways.mqtt.keeper import DiskKeeper

Script = Callable[[DiskKeeper], Awaitable[None]]


def kept(path: Path, script: Script, limit_bytes: int = 100_000) -> dict[bytes, bytes]:
    """Run with a keeper; return what the file has at its opening."""

    async def main() -> dict[bytes, bytes]:
        keeper = DiskKeeper(path, limit_bytes=limit_bytes)
        found = dict(await keeper.open())
        running = asyncio.get_running_loop().create_task(keeper.run())
        try:
            await script(keeper)
        finally:
            _ = running.cancel()
            _ = await asyncio.wait([running])
            await keeper.close()
        return found

    return asyncio.run(main())


async def nothing(_keeper: DiskKeeper) -> None:
    pass


def test_what_is_saved_is_there_the_next_time(tmp_path: Path) -> None:
    async def script(keeper: DiskKeeper) -> None:
        await asyncio.gather(*(keeper.save((b"k%d" % n, b"v")) for n in range(50)))
        await keeper.save((b"k1", b"new"), (b"k2", None))
        keeper.note((b"k3", b"noted"))
        await keeper.replace([b"k4"], [(b"k40", b"again")])
        assert "commits" in repr(keeper)
        keeper.note((b"last", b"1"))

    assert kept(tmp_path / "file", script) == {}
    found = kept(tmp_path / "file", nothing)

    assert (found[b"k1"], found.get(b"k2"), found[b"k3"]) == (b"new", None, b"noted")
    assert [key for key in found if key.startswith(b"k4")] == [b"k40"]
    assert found[b"last"] == b"1"


def test_what_does_not_fit_is_refused_alone(tmp_path: Path) -> None:
    async def script(keeper: DiskKeeper) -> None:
        results = await asyncio.gather(
            keeper.save((b"a", b"1")),
            keeper.save((b"b", bytes(2_000)), (b"a", b"2")),
            keeper.save((b"c", b"3")),
            return_exceptions=True,
        )
        assert [type(each) for each in results] == [type(None), LimitError, type(None)]

    kept(tmp_path / "file", script, limit_bytes=1_000)

    assert kept(tmp_path / "file", nothing) == {b"a": b"1", b"c": b"3"}


@pytest.mark.slow
def test_a_file_has_one_owner(tmp_path: Path) -> None:
    async def script(_keeper: DiskKeeper) -> None:
        with pytest.raises(ConflictError):
            _ = await DiskKeeper(tmp_path / "file", limit_bytes=1_000).open()

    kept(tmp_path / "file", script)
