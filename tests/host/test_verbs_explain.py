"""The verb `explain` tells what nodes state of a packet, by name."""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from ei.daemons.messages import Request
from ei.host.verbs_explain import Explained, ExplainVerbs, HopSaid, ModulePart
from ei.lab.simulation import Simulation

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


async def explain(lab: Simulation) -> Explained:
    """Let alice ask about her newest traced packet to bob."""
    alice = lab.host("alice")
    bob = await alice.lookup("bob.right")
    question = {"service": 16, "connection": alice.connection_to(bob), "deadline_s": 1.0}
    answers = ExplainVerbs(alice).explain(Request("explain", question))
    [answer] = [each async for each in answers]
    assert answer["schema"] == "ei.explained/1"
    return msgspec.convert(answer, Explained)


def test_every_node_on_the_way_is_named_with_what_it_says(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        _ = await alice.ping("bob.right")
        _ = await alice.ping("bob.right", is_traced=True)

        told = await explain(lab)

        parts = (ModulePart(told.hops[0].parts[0].module, "source"),)
        assert told.hops == (
            HopSaid("n1.left", "forwarded", "", "n1.right", "cached", 0, parts),
            HopSaid("n1.right", "forwarded", "", "bob.right", "cached", 0, parts),
        )
        assert parts[0].module.startswith("delivery@")
        assert (told.node, told.is_whole, told.refused) == ("n1.left", True, ())

    in_lab(script)


def test_what_is_missing_is_known_to_be_missing(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        _ = await alice.ping("bob.right")
        _ = await alice.ping("bob.right", is_traced=True)
        await lab.kill("n1.right")

        told = await explain(lab)

        assert [hop.node for hop in told.hops] == ["n1.left"]
        assert not told.is_whole

    in_lab(script)


def test_of_a_packet_that_was_never_sent_nobody_knows(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        told = await explain(lab)

        assert [(hop.node, hop.fate) for hop in told.hops] == [("n1.left", "unseen")]

    in_lab(script)
