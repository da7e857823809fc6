"""`ping` and `ask` measure one after another and tell what had no answer."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import msgspec
import pytest

from ei.daemons.messages import Answer, Request
from ei.errors import LocalError, NotFoundError
from ei.host.verbs_ping import Pings, PingVerbs
from ei.lab.simulation import Simulation
from ei.records.addresses import format_address

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


async def pings(answers: AsyncIterator[Answer]) -> Pings:
    [answer] = [each async for each in answers]
    assert answer["schema"] == "ei.ping/1"
    return msgspec.convert(answer, Pings)


def verbs(lab: Simulation) -> PingVerbs:
    return PingVerbs(lab.host("alice"), lambda: int(lab.now_s() * 1e9))


def test_a_ping_gives_round_trips_and_the_connection_to_trace(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        found = await pings(
            verbs(lab).ping(Request("ping", {"to": "bob.right", "count": 3, "interval_s": 0.1}))
        )

        alice = lab.host("alice")
        assert (found.to, found.sent, len(found.rtts_s)) == ("bob.right", 3, 3)
        assert found.connection == alice.connection_to("bob.right")
        assert found.source == format_address(alice.address)
        assert found.rtts_s[2] == pytest.approx(0.014, abs=0.001)

    in_lab(script)


def test_what_had_no_answer_is_missing_with_the_reason(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        await lab.cut("bob", "n1.right")

        found = await pings(
            verbs(lab).ping(Request("ping", {"to": "bob.right", "count": 2, "deadline_s": 0.2}))
        )

        assert (found.sent, found.rtts_s) == (2, [])
        assert "no echo from bob.right" in found.reason

    in_lab(script)


def test_a_service_is_asked_by_its_number(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        asked = {"service": 17, "count": 2, "metadata": "bob.right", "length_bytes": 100}
        found = await pings(verbs(lab).ask(Request("ask", asked)))

        assert (found.to, len(found.rtts_s)) == ("service 17", 2)
        # To the node and back.
        assert found.rtts_s[1] == pytest.approx(0.002, abs=0.0005)

    in_lab(script)


def test_an_unknown_host_or_word_is_refused(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(NotFoundError):
            _ = await pings(verbs(lab).ping(Request("ping", {"to": "nobody"})))
        with pytest.raises(LocalError, match="neither hexadecimal nor a name"):
            _ = await pings(verbs(lab).ask(Request("ask", {"service": 17, "metadata": "xyz"})))
        with pytest.raises(LocalError, match="it takes to, count"):
            _ = await pings(verbs(lab).ping(Request("ping", {"two": "bob"})))

    in_lab(script)
