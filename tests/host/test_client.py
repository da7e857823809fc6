"""A host of an asyncio program, in a simulated lab."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ei.errors import ConflictError, DeadlineError, LimitError, LocalError, NotFoundError
from ei.lab.simulation import Simulation

ECHO = 17
InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


def test_a_ping_measures_the_way_to_the_other_host(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        _ = await alice.ping("bob.right")

        rtt_s = await alice.ping("bob.right", b"data")

        # 1 + 5 + 1 ms each way.
        assert rtt_s == pytest.approx(0.014, abs=0.001)

    in_lab(script)


def test_a_host_that_does_not_answer_costs_the_deadline_and_is_named(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        await lab.cut("bob", "n1.right")
        began_s = lab.now_s()

        with pytest.raises(DeadlineError, match=r"within 0\.5 s there was no echo from bob\.right"):
            _ = await lab.host("alice").ping("bob.right", deadline_s=0.5)

        assert lab.now_s() - began_s == pytest.approx(0.5)

    in_lab(script)


def test_an_unknown_name_is_refused_with_a_suggestion(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(NotFoundError, match=r"did you mean bob\.right"):
            _ = await lab.host("alice").ping("bob.rihgt")

    in_lab(script)


def test_a_port_is_open_once(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with alice.datagrams(7):
            with pytest.raises(ConflictError, match="port 7 is open already"):
                _ = alice.datagrams(7)
            with alice.datagrams() as first, alice.datagrams() as second:
                assert first.port != second.port
        alice.datagrams(7).close()

    in_lab(script)


def test_a_number_that_fits_no_packet_is_refused_when_it_is_named(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        for port in (-1, 70_000):
            with pytest.raises(LocalError, match=f"port {port} is not 0 to 65535"):
                _ = alice.datagrams(port)
        for service in (0, 2**40):
            wanted = f"service {service} is not 2 to 4294967295"
            with pytest.raises(LocalError, match=wanted):
                _ = alice.call(service)
            with pytest.raises(LocalError, match=wanted):
                _ = alice.listen(service)
            with pytest.raises(LocalError, match=wanted):
                _ = alice.controls(service)
        with pytest.raises(LocalError, match="connection -1 is not 0 to"):
            _ = alice.call(17, connection=-1)
        with alice.call(17) as channel, pytest.raises(LocalError, match="class 65536 is not 0 to"):
            _ = channel.send(b"", traffic_class=65_536)

    in_lab(script)


def test_too_large_a_datagram_is_refused_at_once(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with lab.host("alice").datagrams() as channel, pytest.raises(LimitError):
            _ = channel.try_send("bob.right", bytes(2_000))

    in_lab(script)


def test_a_host_that_closes_tells_everybody_who_waits(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        channel = alice.datagrams(7)
        alice.close()
        alice.close()

        with pytest.raises(LocalError, match="port 7 is closed"):
            _ = await channel.receive(deadline_s=1)
        with pytest.raises(DeadlineError):
            _ = await lab.host("bob").ping("alice.left", deadline_s=1)

    in_lab(script)


def test_b8_an_application_that_does_not_read_loses_only_its_own_and_the_status_says_why(
    in_lab: InLab,
) -> None:
    async def script(lab: Simulation) -> None:
        alice, bob = lab.host("alice"), lab.host("bob")
        with bob.datagrams(7, limit_items=4) as stuck, bob.datagrams(8) as reading:
            with alice.datagrams() as channel:
                for number in range(20):
                    assert channel.try_send("bob.right", bytes([number]), port=7)
                assert channel.try_send("bob.right", b"for a reader", port=8)
                assert channel.try_send("bob.right", b"for nobody", port=9)
            assert (await reading.receive(deadline_s=1)).data == b"for a reader"
            _ = await alice.ping("bob.right")

            assert len(stuck.inbox) == 4
            dropped = bob.status().dropped
            assert (dropped["receiver_busy"], dropped["no_listener"]) == (16, 1)

    in_lab(script)


def test_b8_a_service_channel_that_is_not_read_is_bounded_and_the_others_go_on(
    in_lab: InLab,
) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with alice.call(ECHO, limit_items=4) as stuck, alice.call(ECHO) as reading:
            assert stuck.send(*[b"x"] * 20) == 20
            assert (await reading.ask(b"y", deadline_s=1)).payload == b"y"

            assert len(stuck.inbox) == 4
            assert alice.status().dropped["receiver_busy"] == 16

    in_lab(script)


def test_attaching_twice_is_attaching_once(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")

        await alice.attach()

        assert repr(alice) == "<Host alice.left: 2 of 2 nodes up>"

    in_lab(script)


def test_a_host_moves_to_its_other_node_without_its_application_noticing(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        _ = await alice.ping("bob.right")
        used = next(each.node for each in alice.status().attachments if each.is_used)
        await lab.kill(used)

        answered = 0
        for _ in range(40):
            try:
                _ = await alice.ping("bob.right", deadline_s=0.2)
            except DeadlineError:
                continue
            answered += 1

        now_used = next(each.node for each in alice.status().attachments if each.is_used)
        assert now_used != used
        assert answered >= 30

    in_lab(script)
