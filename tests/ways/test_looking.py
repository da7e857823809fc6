"""Names for the DNS, looked up in a simulated lab."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.host.conftest import in_lab

from ei.lab.simulation import Simulation
from ei.ways.dns_zone import Known, Unknown
from ei.ways.looking import look_by_daemon, look_by_host

__all__ = ["in_lab"]
InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


def test_a_host_knows_and_says_whether_it_is_certain(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        bob = lab.host("bob").address
        look = look_by_host(lab.host("alice"), unix_s=lambda: 0.0)

        known = await look("bob.right")
        assert isinstance(known, Known)
        assert (known.name, known.address) == ("bob.right", bob)
        assert known == await look(bob)
        assert await look("right") == Unknown("right is a domain", is_domain=True)
        for name in ("nobody.right", "bob.nowhere"):
            missing = await look(name)
            assert isinstance(missing, Unknown)
            assert missing.is_certain

    in_lab(script)


def test_a_directory_that_is_silent_leaves_it_open(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        await lab.cut("alice", "n1.left")
        await lab.cut("alice", "n2.left")

        unsure = await look_by_host(lab.host("alice"), unix_s=lambda: 0.0)("bob.right")

        assert isinstance(unsure, Unknown)
        assert not unsure.is_certain

    in_lab(script)


def test_a_daemon_that_is_gone_leaves_it_open(tmp_path: Path) -> None:
    unsure = asyncio.run(_ask(tmp_path / "admin.sock"))

    assert isinstance(unsure, Unknown)
    assert not unsure.is_certain
    assert "no daemon answers" in unsure.why


async def _ask(admin: Path) -> object:
    return await look_by_daemon(admin)("bob.isp-b")
