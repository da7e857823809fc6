"""`invoke` sends one packet and tells what came of it, in a simulated lab."""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from ei.daemons.messages import Request
from ei.errors import LocalError
from ei.host.verbs_invoke import Invoked, InvokeVerbs
from ei.lab.simulation import Simulation

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]
ECHO = 17


async def invoked(lab: Simulation, **wanted: object) -> Invoked:
    request = Request("invoke", {"service": ECHO, **wanted})
    [answer] = [each async for each in InvokeVerbs(lab.host("alice")).invoke(request)]
    assert answer["schema"] == "ei.invoked/1"
    return msgspec.convert(answer, Invoked)


def test_the_answer_comes_with_a_receipt(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        found = await invoked(lab, payload=b"ping".hex())

        assert found.payload == b"ping".hex()
        assert found.rtt_s is not None
        assert (found.receipt.outcome, found.receipt.by) == ("accepted", "n1.left")

    in_lab(script)


def test_without_an_answer_it_is_said_what_is_known(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        await lab.cut("alice", "n1.left")

        found = await invoked(lab, deadline_s=0.2)

        assert (found.payload, found.rtt_s) == (None, None)
        assert found.receipt.outcome == "unknown"

    in_lab(script)


def test_what_a_node_dropped_is_not_waited_for(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        began_s = lab.now_s()

        found = await invoked(lab, service=9_999, deadline_s=30.0)

        assert found.receipt.outcome == "dropped"
        assert found.receipt.reason
        assert lab.now_s() - began_s < 2.0

    in_lab(script)


def test_a_payload_is_written_in_digits(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(LocalError, match="payload 'ping' is not hexadecimal"):
            _ = await invoked(lab, payload="ping")

    in_lab(script)
