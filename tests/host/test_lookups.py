"""Names and addresses that a program uses are known, or asked for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ei.errors import DeadlineError, NotFoundError, UnreachableError
from ei.lab.simulation import Simulation

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


def test_a_host_of_another_domain_is_found_by_name_and_by_address(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice, bob = lab.host("alice"), lab.host("bob")
        with pytest.raises(NotFoundError):
            _ = alice.find("bob.right")

        assert await alice.lookup("bob.right") == bob.address
        assert alice.find("bob.right") == bob.address
        assert await lab.host("bob").lookup(alice.address) == alice.address

    in_lab(script)


def test_a_name_that_its_domain_does_not_know_is_not_found(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(NotFoundError, match=r"of nobody\.right: its domain says that there is"):
            _ = await lab.host("alice").lookup("nobody.right")

    in_lab(script)


def test_a_name_without_a_known_domain_is_refused_with_what_is_like_it(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with pytest.raises(NotFoundError, match=r"did you mean bob\.right"):
            _ = await alice.lookup("bob.rigth")
        with pytest.raises(NotFoundError, match="domains are known, and names end with"):
            _ = await alice.lookup("bob")

    in_lab(script)


def test_a_directory_that_does_not_answer_costs_the_deadline(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        await lab.cut("alice", "n1.left")

        with pytest.raises(DeadlineError, match=r"within 0\.2 s .* directory about bob\.right"):
            _ = await lab.host("alice").lookup("bob.right", deadline_s=0.2)

    in_lab(script)


def test_a_name_of_which_nobody_says_anything_is_not_called_missing(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        await lab.cut("alice", "n1.left")
        await lab.cut("alice", "n2.left")

        for _ in range(2):
            with pytest.raises(DeadlineError, match=r"of bob\.right: no directory answers"):
                _ = await lab.host("alice").lookup("bob.right", deadline_s=10)

    in_lab(script)


def test_a_datagram_to_a_host_that_is_not_known_yet_waits_for_the_directory(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with lab.host("alice").datagrams() as outbox, lab.host("bob").datagrams(7) as inbox:
            assert outbox.try_send("bob.right", b"hello", port=7)

            assert (await inbox.receive(deadline_s=1)).data == b"hello"

    in_lab(script)


def test_a_datagram_to_nobody_is_counted(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with alice.datagrams() as outbox:
            _ = outbox.try_send("nobody.right", b"hello", port=7)
        await lab.sleep(1)

        assert alice.status().dropped["unknown_destination"] == 1

    in_lab(script)


def test_who_waits_is_told_when_the_host_closes(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        await lab.cut("alice", "n1.left")

        async def look() -> None:
            with pytest.raises(UnreachableError, match="the host was closed"):
                _ = await alice.lookup("bob.right", deadline_s=5)

        async with asyncio.TaskGroup() as group:
            _ = group.create_task(look())
            await lab.sleep(0.1)
            alice.close()

    in_lab(script)
