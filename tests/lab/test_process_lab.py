"""What a lab of real nodes promises to scenarios."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from ei.errors import LocalError, NotFoundError
from ei.lab.catalogue import find_topology
from ei.lab.load import node_in_use, until
from ei.lab.process_lab import ProcessLab
from ei.lab.run_folder import run_folder
from ei.lab.topology import Impairment

pytestmark = pytest.mark.slow


def run(
    environ: Mapping[str, str], script: Callable[[ProcessLab], Coroutine[Any, Any, None]]
) -> None:
    async def program() -> None:
        lab = ProcessLab(find_topology("delivery"), seed=1, environ=environ)
        try:
            await lab.open()
            await script(lab)
        finally:
            await lab.close()

    asyncio.run(program())


def test_hosts_of_this_program_talk_through_nodes_of_others(environ: Mapping[str, str]) -> None:
    async def script(lab: ProcessLab) -> None:
        async def is_reached() -> bool:
            return await ping(lab)

        assert await until(lab, is_reached, limit_s=10) is not None
        status = await lab.node_status("sn1.isp-a")
        assert {peer.name for peer in status.peers if peer.kind == "node"} == {
            "sn2.isp-a", "sn1.isp-b", "sn2.isp-b",
        }  # fmt: skip
        assert int(str((await lab.statistics("sn1.isp-a"))["received"])) > 0
        assert lab.host("alice") is lab.hosts["alice.isp-a"]

        first = node_in_use(lab.host("bob"))
        await lab.impair(first, "bob", Impairment(delay_ms=100))
        assert (await lab.host("alice").ping("bob.isp-b", deadline_s=5)) > 0.1
        await lab.heal(first, "bob")

        await lab.kill("sn1.isp-b")
        assert await until(lab, is_reached, limit_s=10) is not None
        await lab.start("sn1.isp-b")
        assert await until(lab, is_reached, limit_s=10) is not None
        assert await lab.drain("sn1.isp-a", grace_s=1) == 0
        await lab.start("sn1.isp-a")
        await lab.freeze("sn2.isp-b")
        assert await until(lab, is_reached, limit_s=15) is not None
        await lab.thaw("sn2.isp-b")

    run(environ, script)

    labs = run_folder("any", environ).path.parent
    assert not [path for path in labs.iterdir() if path.name.startswith("run-")]


def test_what_it_cannot_do_is_said(environ: Mapping[str, str], tmp_path: Path) -> None:
    async def script(lab: ProcessLab) -> None:
        with (
            pytest.raises(LocalError, match="not captured by the lab"),
            lab.capture(tmp_path / "x"),
        ):
            pass
        with pytest.raises(NotFoundError, match=r"alice\.isp-a is no node"):
            await lab.node_status("alice")

    run(environ, script)


async def ping(lab: ProcessLab) -> bool:
    try:
        _ = await lab.host("alice").ping("bob.isp-b", deadline_s=0.3)
    except TimeoutError:
        return False
    return True
