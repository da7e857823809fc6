"""By its deadline each message is delivered, dropped for a reason, or unknown."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from ei.errors import LocalError, NotFoundError
from ei.host.client import Host
from ei.host.receipts import Turns, when_to_ask
from ei.host.verdicts import Receipt, place_of
from ei.lab.clock import run_virtual
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.lab.topology import Impairment
from ei.lab.topology_file import parse_topology

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


async def send(host: Host, to: str = "bob.right", *, port: int = 7, deadline_s: float) -> Receipt:
    with host.datagrams() as mine:
        return await mine.send(to, b"x", port=port, deadline_s=deadline_s)


async def with_session(lab: Simulation) -> Host:
    """Return alice, who has talked to bob already."""
    alice = lab.host("alice")
    _ = await alice.ping("bob.right")
    return alice


def test_delivered_is_what_the_destination_says_and_nobody_is_asked(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        began_s = lab.now_s()
        with lab.host("bob").datagrams(7):
            receipt = await send(alice, deadline_s=1)

        assert receipt == Receipt("delivered", by="bob.right", is_signed=True)
        assert lab.now_s() - began_s < 0.03
        assert "control" not in alice.status().sent

    in_lab(script)


def test_a_message_to_oneself_is_delivered(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with alice.datagrams(7):
            receipt = await send(alice, "alice.left", deadline_s=1)

        assert receipt == Receipt("delivered", by="alice.left", is_signed=True)

    in_lab(script)


def test_durable_is_said_by_the_program_that_keeps_it(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        with lab.host("bob").datagrams(7, confirms=True) as kept:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(send(alice, deadline_s=2))
                datagram = await kept.receive()
                await lab.sleep(0.1)
                is_known_before = sending.done()
                kept.confirm(datagram)

        assert not is_known_before
        assert sending.result() == Receipt("durable", by="bob.right", is_signed=True)

    in_lab(script)


def test_what_a_program_that_confirms_has_no_room_for_is_dropped(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        with lab.host("bob").datagrams(7, confirms=True, limit_items=1):
            _ = alice.datagrams(9).try_send("bob.right", b"first", port=7)
            receipt = await send(alice, deadline_s=2)

        assert receipt == Receipt("dropped", "not_taken", "bob.right", is_signed=True)

    in_lab(script)


def test_what_a_node_of_another_domain_drops_is_reported_before_the_deadline(
    in_lab: InLab,
) -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        await lab.cut("bob", "n1.right")
        await lab.sleep(1)
        began_s = lab.now_s()
        _ = await send(alice, deadline_s=1)  # until its node has noticed
        receipt = await send(alice, deadline_s=10)

        assert receipt == Receipt("dropped", "host_unreachable", "n1.right", is_signed=True)
        assert lab.now_s() - began_s < 1.6

    in_lab(script)


def test_what_a_link_loses_is_unknown(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        await lab.impair("n1.left", "n1.right", Impairment(loss=1.0))
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(send(alice, deadline_s=2))
            await lab.sleep(0.1)
            await lab.heal("n1.left", "n1.right")

        assert sending.result() == Receipt(
            "unknown",
            "n1.right knows nothing of it: lost after n1.left, under way, or forgotten",
            "n1.right",
            is_signed=True,
        )

    in_lab(script)


def test_what_is_handed_to_a_host_that_does_not_answer_is_unknown(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        await lab.cut("bob", "n1.right")
        receipt = await send(alice, deadline_s=1)

        assert receipt == Receipt(
            "unknown",
            "n1.right handed it to bob.right, who has not confirmed it",
            "n1.right",
            is_signed=True,
        )

    in_lab(script)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (
            "n1.left",
            Receipt("unknown", "n1.left was handed it, and no answer about it came", "n1.left"),
        ),
        (
            "n1.right",
            Receipt(
                "unknown",
                "n1.left handed it on to n1.right, where nothing is said of it",
                "n1.left",
                is_signed=True,
            ),
        ),
    ],
)
def test_what_dies_with_a_node_is_unknown(in_lab: InLab, node: str, said: Receipt) -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        await lab.kill(node)
        receipt = await send(alice, deadline_s=1)

        assert receipt == said

    in_lab(script)


def test_a_message_without_a_session_never_leaves_once_it_was_reported(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        await lab.cut("bob", "n1.right")
        with lab.host("bob").datagrams(7) as inbox:
            receipt = await send(alice, deadline_s=0.5)
            await lab.heal("bob", "n1.right")
            await lab.sleep(5)
            _ = await alice.ping("bob.right")

            assert receipt == Receipt("dropped", "no_session", "alice.left")
            assert lab.host("bob").status().received["echo_request"] >= 1
            assert len(inbox.inbox) == 0

    in_lab(script)


def test_nobody_waits_for_the_deadline_when_no_session_comes_about(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        await lab.cut("bob", "n1.right")
        began_s = lab.now_s()
        receipt = await send(alice, deadline_s=30)

        assert receipt == Receipt("dropped", "no_session", "alice.left")
        assert lab.now_s() - began_s < 2

    in_lab(script)


def test_too_much_at_once_is_dropped_here_and_said_so(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        await lab.cut("bob", "n1.right")
        receipts = await asyncio.gather(*(send(alice, deadline_s=0.3) for _ in range(70)))

        refused = Receipt("dropped", "send_refused", "alice.left")
        assert receipts.count(refused) == 6

    in_lab(script)


def test_whom_nobody_knows_is_no_destination(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(NotFoundError):
            _ = await send(lab.host("alice"), "nobody.nowhere", deadline_s=1)

    in_lab(script)


def test_closing_the_host_tells_all_that_wait(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        await lab.cut("n1.left", "n1.right")

        async def is_told() -> None:
            with pytest.raises(LocalError, match=r"alice\.left was closed"):
                _ = await send(alice, deadline_s=5)

        async with asyncio.TaskGroup() as group:
            _ = group.create_task(is_told())
            await lab.sleep(0.1)
            alice.close()

    in_lab(script)


def test_a_call_is_accepted_by_the_node_that_took_it(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with alice.call(17) as echo:
            _ = echo.send(b"hello", is_traced=True)
            _ = await echo.receive()
            receipt = await echo.fate()

        assert receipt == Receipt("accepted", "", "n1.left", is_signed=True)

    in_lab(script)


def test_a_call_that_was_not_traced_is_unknown(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with lab.host("alice").call(17) as echo:
            _ = await echo.ask(b"hello")
            receipt = await echo.fate()

        assert receipt.outcome == "unknown"

    in_lab(script)


@pytest.mark.parametrize("deadline_s", [0.01, 0.3, 1.0, 2.0, 10.0, 3_600.0])
def test_nodes_are_asked_in_time_and_seldom(deadline_s: float) -> None:
    times = list(when_to_ask(deadline_s))

    assert times[0] == min(0.5, deadline_s / 2)
    assert times[-1] == deadline_s * 0.8
    assert len(times) < 16
    assert all(before < after for before, after in pairwise(times))


def test_questions_leave_one_after_another_and_needless_ones_take_no_turn() -> None:
    acted: list[tuple[str, float]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began_s, turns = loop.time(), Turns(0.5)

        def act(name: str, *, is_needed: bool) -> bool:
            acted.append((name, loop.time() - began_s))
            return is_needed

        for name, is_needed in (("a", True), ("b", False), ("c", True)):
            turns.take(partial(act, name, is_needed=is_needed))
        await asyncio.sleep(2)
        turns.take(partial(act, "d", is_needed=True))

    run_virtual(lambda _: main())

    assert acted == [("a", 0.0), ("b", 0.5), ("c", 0.5), ("d", 2.0)]


THREE = """
version = 1
services = ["delivery", "echo", "reach"]
[domains.left]
providers = ["middle"]
[domains.left.nodes.n1]
[domains.left.hosts.alice]
nodes = ["n1"]
[domains.middle]
explains = "{explains}"
[domains.middle.nodes.m1]
[domains.right]
providers = ["middle"]
[domains.right.nodes.n1]
[domains.right.hosts.bob]
nodes = ["n1"]
[link_defaults.domain]
delay_ms = 5
"""


def in_three(explains: str, script: Callable[[Simulation], Coroutine[Any, Any, None]]) -> None:
    """Run a script where all between left and right passes middle, once that is known."""

    async def later(lab: Simulation) -> None:
        await lab.sleep(2)
        await script(lab)

    run_simulated(parse_topology(THREE.format(explains=explains), name="three"), later)


@pytest.mark.parametrize(
    ("explains", "fates"),
    [
        ("hops", ["forwarded to m1.middle", "forwarded to n1.right", "forwarded to bob.right"]),
        ("domain", ["forwarded to m1.middle", "forwarded to right", "forwarded to bob.right"]),
        ("nothing", ["forwarded to m1.middle", "withheld", "forwarded to bob.right"]),
    ],
)
def test_each_domain_on_the_way_tells_what_it_reveals(explains: str, fates: list[str]) -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        _ = await alice.ping("bob.right", is_traced=True)
        account = await alice.explain(16, alice.connection_to("bob.right"))

        said = account.statements
        assert [alice.records.name_of(each.node) for each in said] == [
            "n1.left", "m1.middle", "n1.right",
        ]  # fmt: skip
        places = [f" to {place_of(each.to, alice.records)}" if each.to else "" for each in said]
        assert [each.fate + at for each, at in zip(said, places, strict=True)] == fates
        assert account.refused == ()
        assert (said[1].parts == ()) == (explains != "hops")

    in_three(explains, script)


@pytest.mark.parametrize("explains", ["hops", "domain"])
def test_what_a_domain_on_the_way_drops_is_told_by_it(explains: str) -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        await lab.kill_worker("m1.middle", "delivery")
        receipt = await send(alice, deadline_s=5)

        assert (receipt.outcome, receipt.by, receipt.is_signed) == ("dropped", "m1.middle", True)

    in_three(explains, script)


def test_what_a_domain_drops_that_says_nothing_is_unknown() -> None:
    async def script(lab: Simulation) -> None:
        alice = await with_session(lab)
        await lab.kill_worker("m1.middle", "delivery")
        receipt = await send(alice, deadline_s=2)

        said = "m1.middle does not say what became of it"
        assert receipt == Receipt("unknown", said, "m1.middle", is_signed=True)

    in_three("nothing", script)


FAR = """
version = 1
services = ["delivery", "reach"]
[domains.left.nodes.n1]
[domains.left.hosts.alice]
nodes = ["n1"]
[domains.right]
providers = ["left"]
[domains.right.nodes.n1]
services = ["delivery", "reach", "echo"]
[link_defaults.domain]
delay_ms = 5
"""


def test_a_call_to_a_service_of_another_domain_is_followed_there_and_back() -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        await lab.sleep(2)
        with alice.call(17) as echo:
            _ = echo.send(b"hello", is_traced=True)
            _ = await echo.receive()
            account = await alice.explain(17, echo.connection)

        names = [alice.records.name_of(said.node) for said in account.statements]
        modules = [said.parts[0].module.partition("@")[0] for said in account.statements]
        assert names == ["n1.left", "n1.right", "n1.left"]
        assert modules == ["reach", "echo", "reach"]

    run_simulated(parse_topology(FAR, name="far"), script)
