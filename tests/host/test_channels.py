"""Datagrams, receipts, service calls and control messages, in a simulated lab."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ei.errors import DeadlineError, LimitError, LocalError
from ei.host.channels import Wanted
from ei.host.events import PacketReceived
from ei.host.verdicts import Receipt
from ei.lab.simulation import Simulation
from ei.sdk import Address

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


def test_a_datagram_can_be_answered_where_it_came_from(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice, bob = lab.host("alice"), lab.host("bob")
        with alice.datagrams() as mine, bob.datagrams(7) as served:
            assert mine.try_send("bob.right", b"question", port=7)
            question = await served.receive(deadline_s=1)
            assert served.try_send(question.source, b"answer", port=question.source_port)
            answer = await mine.receive(deadline_s=1)

        assert (question.source, question.data) == (alice.address, b"question")
        assert (answer.source, answer.data) == (bob.address, b"answer")

    in_lab(script)


def test_a_receipt_tells_what_became_of_a_datagram(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice, bob = lab.host("alice"), lab.host("bob")
        with alice.datagrams() as mine, bob.datagrams(7, limit_items=1):
            taken = await mine.send("bob.right", b"1", port=7, deadline_s=1)
            full = await mine.send("bob.right", b"2", port=7, deadline_s=1)
            nobody = await mine.send("bob.right", b"3", port=8, deadline_s=1)
            await lab.cut("bob", "n1.right")
            silent = await mine.send("bob.right", b"4", port=7, deadline_s=1)

        assert taken == Receipt("delivered", by="bob.right", is_signed=True)
        assert full == nobody == Receipt("dropped", "not_taken", "bob.right", is_signed=True)
        assert silent.outcome == "unknown"

    in_lab(script)


def test_a_service_answers_on_the_connection_that_asked(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with alice.call(17, metadata=b"one") as one, alice.call(17, metadata=b"two") as two:
            first = await one.ask(b"1", deadline_s=1)
            second = await two.ask(b"2", deadline_s=1)

        assert (first.payload, first.metadata) == (b"1", b"one")
        assert (second.payload, second.metadata) == (b"2", b"two")
        assert first.connection != second.connection

    in_lab(script)


def test_a_listener_gets_packets_by_their_metadata(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with alice.listen(17, metadata=b"ab") as some, alice.listen(17) as all_of_it:
            _ = some.send(b"1")
            _ = all_of_it.send(b"2", metadata=b"xy")
            both = [await all_of_it.receive(deadline_s=1) for _ in range(2)]
            one = await some.receive(deadline_s=1)
            with pytest.raises(DeadlineError):
                _ = await some.receive(deadline_s=1)

        assert {packet.payload for packet in both} == {b"1", b"2"}
        assert one.payload == b"1"

    in_lab(script)


def test_a_closed_channel_says_so(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        channel = lab.host("alice").call(17)
        channel.close()
        channel.close()

        with pytest.raises(LocalError, match="channel to service 17 is closed"):
            _ = await channel.receive(deadline_s=1)

    in_lab(script)


def test_control_messages_have_one_channel_for_each_service(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with alice.controls(17) as controls:
            controls.send(b"nobody understands this")
            with pytest.raises(LocalError, match="control messages of service 17 are taken"):
                _ = alice.controls(17)
            with pytest.raises(LimitError, match="gets no control message now"):
                controls.send(bytes(65_537))
            with pytest.raises(DeadlineError, match="control message of service 17"):
                _ = await controls.receive(deadline_s=0.1)

    in_lab(script)


def test_a_channel_wants_its_connection_or_its_metadata() -> None:
    packet = PacketReceived(
        node=Address(b"n" * 16),
        service=48,
        source=Address(b"s" * 16),
        connection=5,
        metadata=b"group",
        payload=b"",
        protection=0,
        is_traced=False,
    )

    assert Wanted(48, connection=5).is_met(packet)
    assert not Wanted(48, connection=6).is_met(packet)
    assert Wanted(48, metadata=b"gro").is_met(packet)
    assert not Wanted(48, metadata=b"other").is_met(packet)
