"""What a host daemon answers, in a simulated lab."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from ei.daemons.log import Level, Log
from ei.daemons.messages import Request
from ei.errors import LocalError
from ei.host.admin import HostAdmin
from ei.host.verbs_files import FileVerbs
from ei.host.verbs_find import FindVerbs
from ei.host.verbs_ping import PingVerbs
from ei.host.verbs_traffic import TrafficVerbs
from ei.lab.simulation import Simulation

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]
Ask = Callable[..., Awaitable[dict[str, object]]]


def test_every_verb_of_the_page_is_a_verb(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        async with asyncio.TaskGroup() as group:
            admin, _, _ = _admin(lab, group)
            with pytest.raises(LocalError, match="no verb 'dance'; allowed: status, ping") as said:
                _ = [answer async for answer in admin.answer(Request("dance", {}))]

        page = __import__("ei.host.admin", fromlist=["x"]).__doc__ or ""
        verbs = str(said.value).rpartition("allowed: ")[2].split(", ")
        assert [verb for verb in verbs if f"\n    {verb} " not in page] == []

    in_lab(script)


def test_status_names_the_host_and_its_nodes(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        async with asyncio.TaskGroup() as group:
            admin, _, _ = _admin(lab, group)
            [answer] = [each async for each in admin.answer(Request("status", {}))]

        assert (answer["schema"], answer["name"]) == ("ei.host-status/1", "alice.left")

    in_lab(script)


def test_the_log_level_and_records_can_be_changed_and_the_daemon_stopped(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        async with asyncio.TaskGroup() as group:
            admin, log, stops = _admin(lab, group)
            for request in (
                Request("log_level", {"level": "debug"}),
                Request("reload", {}),
                Request("stop", {}),
            ):
                assert [each async for each in admin.answer(request)] == [{"schema": "ei.done/1"}]

        assert log.level is Level.DEBUG
        assert stops == [False, True]

    in_lab(script)


def _admin(lab: Simulation, group: asyncio.TaskGroup) -> tuple[HostAdmin, Log, list[bool]]:
    host = lab.host("alice")
    log = Log()
    stops: list[bool] = []

    def now_ns() -> int:
        return int(lab.now_s() * 1e9)

    admin = HostAdmin(
        host,
        ping=PingVerbs(host, now_ns),
        find=FindVerbs(host, lambda: 0.0),
        files=FileVerbs(host, now_ns),
        traffic=TrafficVerbs(host, group, now_ns),
        reload=lambda: stops.append(False),
        stop=lambda: stops.append(True),
        log=log,
    )
    return admin, log, stops
