"""What channels send: names are looked up first, and no answer to that is a receipt as well."""

from collections.abc import Callable, Coroutine
from typing import Any

from ei.host.verdicts import Receipt
from ei.lab.simulation import Simulation

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


def test_a_message_for_whom_no_directory_knows_in_time_is_dropped_here(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        await lab.cut("n1.left", "n1.right")
        await lab.cut("n2.left", "n1.right")
        with alice.datagrams() as mine:
            receipt = await mine.send("carol.right", b"x", deadline_s=0.2)

        assert receipt == Receipt("dropped", "no_answer", "alice.left")

    in_lab(script)


def test_the_time_for_the_lookup_is_part_of_the_deadline(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        await lab.cut("bob", "n1.right")
        began_s = lab.now_s()
        with alice.datagrams() as mine:
            _ = await mine.send("bob.right", b"x", deadline_s=0.7)

        assert lab.now_s() - began_s < 0.71

    in_lab(script)


def test_packets_of_a_call_are_traced_where_that_is_asked(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with lab.host("alice").call(17) as echo:
            assert echo.send(b"a", is_traced=True) == 1
            answer = await echo.receive()

        assert answer.is_traced

    in_lab(script)
