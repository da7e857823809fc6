"""Numbered traffic between hosts, receipts and control messages, as admin verbs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from ei.daemons.messages import Answer, Request
from ei.errors import LocalError, NotFoundError
from ei.host.verbs_traffic import TrafficVerbs
from ei.lab.simulation import Simulation

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


async def only(answers: AsyncIterator[Answer]) -> Answer:
    [answer] = [each async for each in answers]
    return answer


def verbs(lab: Simulation, name: str, group: asyncio.TaskGroup) -> TrafficVerbs:
    return TrafficVerbs(lab.host(name), group, lambda: int(lab.now_s() * 1e9))


def test_numbered_datagrams_are_counted_at_the_other_host(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        async with asyncio.TaskGroup() as group:
            alice, bob = verbs(lab, "alice", group), verbs(lab, "bob", group)
            _ = await only(bob.collect(Request("collect", {"name": "x", "port": 9})))
            load = {"to": "bob.right", "port": 9, "count": 200, "rate_pps": 1_000}
            sent = await only(alice.send_datagrams(Request("send_datagrams", load)))
            await asyncio.sleep(0.1)
            got = await only(bob.collected(Request("collected", {"name": "x", "is_last": True})))

        assert (sent["sent"], sent["refused"]) == (200, 0)
        assert (got["distinct"], got["duplicates"], got["highest"]) == (200, 0, 199)

    in_lab(script)


def test_numbered_packets_of_a_service_are_counted_by_metadata(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        async with asyncio.TaskGroup() as group:
            alice = verbs(lab, "alice", group)
            collect = {"name": "echoes", "service": 17, "metadata": "bob.right"}
            _ = await only(alice.collect(Request("collect", collect)))
            load = {"service": 17, "metadata": "bob.right", "count": 50, "first": 100}
            _ = await only(alice.send_packets(Request("send_packets", load)))
            await asyncio.sleep(0.1)
            got = await only(
                alice.collected(Request("collected", {"name": "echoes", "is_last": True}))
            )

        assert (got["distinct"], got["highest"], got["foreign"]) == (50, 149, 0)

    in_lab(script)


def test_receipts_are_counted_by_what_they_say(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        async with asyncio.TaskGroup() as group:
            alice = verbs(lab, "alice", group)
            with lab.host("bob").datagrams(9):
                load = {"to": "bob.right", "port": 9, "count": 3}
                taken = await only(alice.send_receipts(Request("send_receipts", load)))
                load = {"to": "bob.right", "port": 10, "count": 2}
                refused = await only(alice.send_receipts(Request("send_receipts", load)))

        assert taken["statuses"] == {"delivered": 3}
        assert refused["statuses"] == {"dropped": 2}

    in_lab(script)


def test_a_control_message_can_be_repeated_until_it_is_not(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        def sent() -> int:
            return lab.host("alice").status().sent.get("control", 0)

        async with asyncio.TaskGroup() as group:
            alice = verbs(lab, "alice", group)
            message: dict[str, object] = {"service": 17, "message": "c0"}
            _ = await only(alice.control(Request("control", message)))
            assert sent() == 1
            _ = await only(alice.control(Request("control", {**message, "every_s": 1.0})))
            await asyncio.sleep(2.5)
            assert sent() == 4
            _ = await only(alice.control(Request("control", {**message, "every_s": 0})))
            await asyncio.sleep(2.5)
            assert sent() == 4

    in_lab(script)


def test_what_makes_no_sense_is_refused(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        async with asyncio.TaskGroup() as group:
            alice = verbs(lab, "alice", group)
            with pytest.raises(LocalError, match="either a service or a port"):
                _ = await only(alice.collect(Request("collect", {"name": "x"})))
            with pytest.raises(LocalError, match="message 'zz' is not hexadecimal"):
                _ = await only(alice.control(Request("control", {"service": 1, "message": "zz"})))
            with pytest.raises(NotFoundError, match="no collector 'x'"):
                _ = await only(alice.collected(Request("collected", {"name": "x"})))

    in_lab(script)
