"""What sending a file to a group promises."""

import asyncio
import hashlib
from pathlib import Path

import msgspec
import pytest

from ei.errors import ConflictError, DeadlineError, IntegrityError, LimitError
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.lab.topology import Impairment
from ei.lab.topology_file import parse_topology
from ei.ways import casting
from ei.ways.casting import (
    BLOCK_BYTES,
    Announced,
    Blocks,
    Cast,
    announce,
    read_announced,
    receive_file,
    send_file,
)

TOPOLOGY = parse_topology(
    """
    version = 1
    services = ["delivery", "multicast"]
    [domains.isp-a.nodes.sn1]
    [domains.isp-a.hosts.alice]
    nodes = ["sn1"]
    [domains.isp-b.nodes.sn1]
    [domains.isp-b.hosts.bob]
    nodes = ["sn1"]
    [domains.isp-b.hosts.bea]
    nodes = ["sn1"]
    [domains.isp-a.groups.news]
    nodes = ["sn1"]
    senders = ["alice"]
    [link_defaults.domain]
    delay_ms = 10
    """,
    name="cast",
)
GROUP = "news.isp-a"
CONTENT = hashlib.shake_256(b"film").digest(100 * BLOCK_BYTES + 7)


def a_film(folder: Path, content: bytes = CONTENT) -> Path:
    path = folder / "film.bin"
    _ = path.write_bytes(content)
    return path


async def send_it(lab: Simulation, path: Path) -> Cast:
    return await send_file(lab.host("alice"), GROUP, path, rate_bytes_per_s=1e6, linger_s=3.0)


def cast(folder: Path, *, late_s: float = 0.0, content: bytes = CONTENT) -> list[Cast]:
    """Send a film to bob and bea over bad links; they come so much later."""
    path = a_film(folder, content)
    bob, bea = folder / "bob", folder / "bea"
    bob.mkdir()
    bea.mkdir()

    async def script(lab: Simulation) -> list[Cast]:
        for name in ("bob", "bea"):
            await lab.impair(f"{name}.isp-b", "sn1.isp-b", Impairment(delay_ms=2, loss=0.03))
        await lab.impair("alice.isp-a", "sn1.isp-a", Impairment(delay_ms=2, loss=0.03))
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(send_it(lab, path))
            await lab.sleep(late_s)
            receiving = [
                tasks.create_task(
                    receive_file(lab.host(name), GROUP, folder / name, deadline_s=60.0)
                )
                for name in ("bob", "bea")
            ]
        return [sending.result(), *(task.result() for task in receiving)]

    return run_simulated(TOPOLOGY, script)


@pytest.mark.slow
@pytest.mark.parametrize("late_s", [0.0, 1.0])
def test_a_file_arrives_whole_also_at_who_comes_late(tmp_path: Path, late_s: float) -> None:
    sent, *received = cast(tmp_path, late_s=late_s)

    assert (tmp_path / "bob/film.bin").read_bytes() == CONTENT
    assert (tmp_path / "bea/film.bin").read_bytes() == CONTENT
    assert [each.digest for each in received] == [sent.digest] * 2
    assert [path.name for path in (tmp_path / "bob").iterdir()] == ["film.bin"]


@pytest.mark.slow
def test_who_comes_in_the_middle_of_a_long_file_gets_all_of_it(tmp_path: Path) -> None:
    content = hashlib.shake_256(b"long").digest(12_000_000)

    _ = cast(tmp_path, late_s=9.0, content=content)

    assert (tmp_path / "bob/film.bin").read_bytes() == content


@pytest.mark.slow
def test_a_file_may_be_empty(tmp_path: Path) -> None:
    _ = cast(tmp_path, content=b"")

    assert (tmp_path / "bob/film.bin").read_bytes() == b""


@pytest.mark.slow
def test_a_file_that_is_there_already_is_not_replaced(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    path = a_film(tmp_path)

    async def script(lab: Simulation) -> None:
        async with asyncio.TaskGroup() as tasks:
            _ = tasks.create_task(send_it(lab, path))
            _ = (here / path.name).write_text("mine")
            with pytest.raises(ConflictError, match="exists already"):
                _ = await receive_file(lab.host("bob"), GROUP, here, deadline_s=20.0)

    run_simulated(TOPOLOGY, script)

    assert (here / path.name).read_text() == "mine"


@pytest.mark.slow
def test_who_hears_nothing_says_so_in_time(tmp_path: Path) -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(DeadlineError, match=f"within 2 s there was no whole file .* {GROUP}"):
            _ = await receive_file(lab.host("bob"), GROUP, tmp_path, deadline_s=2.0)

    run_simulated(TOPOLOGY, script)


GOOD = Announced("film.bin", 7, bytes(32), BLOCK_BYTES)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "../film"},
        {"name": "/etc/passwd"},
        {"name": ".."},
        {"name": "x" * 256},
        {"file_bytes": -1},
        {"file_bytes": casting.MAX_FILE_BYTES + 1},
        {"digest": b"short"},
        {"block_bytes": 0},
        {"block_bytes": BLOCK_BYTES + 1},
    ],
)
def test_what_no_sender_means_is_refused(changes: dict[str, object]) -> None:
    said = msgspec.structs.replace(GOOD, **changes)

    with pytest.raises(IntegrityError, match="a file is announced as"):
        _ = read_announced(msgspec.msgpack.encode(said))


def test_an_announcement_is_read_as_it_was_written_and_nothing_else_is() -> None:
    assert read_announced(msgspec.msgpack.encode(GOOD)) == GOOD
    with pytest.raises(IntegrityError, match="no file is announced"):
        _ = read_announced(b"hello")


def test_a_file_is_cut_into_blocks_by_number(tmp_path: Path) -> None:
    with a_film(tmp_path).open("rb") as file:
        announced = announce(tmp_path / "film.bin", file)
        blocks = Blocks(announced, file)

        first = blocks.find(0)
        assert first is not None
        assert read_announced(first) == announced
        pieces = [blocks.find(number) or b"" for number in range(1, announced.blocks + 1)]
        assert b"".join(pieces) == CONTENT
        assert blocks.find(announced.blocks + 1) is None


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        _ = file.truncate(casting.MAX_FILE_BYTES + 1)
    with path.open("rb") as file, pytest.raises(LimitError, match="allowed are 4294967296 B"):
        _ = announce(path, file)
