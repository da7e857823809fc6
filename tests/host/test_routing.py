"""Events go to those they are meant for; what nobody takes is counted."""

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from ei.errors import ConflictError, LocalError
from ei.host.channels import ControlChannel, DatagramChannel, ServiceChannel, Wanted
from ei.host.events import (
    AttachmentChanged,
    ControlReceived,
    DatagramReceived,
    EchoReceived,
    PacketReceived,
)
from ei.host.routing import FIRST_OWN_PORT, Router
from ei.lab.clock import run_virtual
from ei.sdk import Address

if TYPE_CHECKING:
    from ei.host.client import Host

# Channels only hand it on; none of these tests has them use it.
HOST = cast("Host", None)
PEER = Address(b"p" * 16)
STRANGER = Address(b"s" * 16)


def datagram(port: int) -> DatagramReceived:
    return DatagramReceived(PEER, 1, port, b"x", None)


def packet(connection: int, metadata: bytes = b"") -> PacketReceived:
    return PacketReceived(PEER, 17, PEER, connection, metadata, b"x", 0, is_traced=False)


def service(wanted: Wanted) -> ServiceChannel:
    return ServiceChannel(HOST, wanted, connection=1, metadata=b"", limit_items=4)


def test_a_datagram_goes_to_its_port_and_no_further_than_its_room() -> None:
    router = Router()
    channel = DatagramChannel(HOST, 7, limit_items=1)
    router.add(channel)

    taken = [router.take(datagram(port)) for port in (7, 7, 8)]

    assert taken == [True, False, False]
    assert len(channel.inbox) == 1
    assert router.dropped == {"receiver_busy": 1, "no_listener": 1}


def test_a_packet_goes_to_all_that_want_it() -> None:
    router = Router()
    one, two, other = (
        service(wanted)
        for wanted in (
            Wanted(17, connection=5),
            Wanted(17, metadata=b"a"),
            Wanted(18, connection=5),
        )
    )
    for channel in (one, two, other):
        router.add(channel)

    assert router.take(packet(5, b"ab"))
    assert not router.take(packet(6, b"b"))

    assert [len(channel.inbox) for channel in (one, two, other)] == [1, 1, 0]


def test_a_channel_that_is_not_read_costs_the_others_nothing_and_its_losses_are_counted() -> None:
    router = Router()
    stuck, reading = service(Wanted(17, connection=5)), service(Wanted(17))
    router.add(stuck)
    router.add(reading)

    async def main() -> None:
        for _ in range(100):
            assert router.take(packet(5))
            _ = await reading.receive()

    run_virtual(lambda _: main())

    assert len(stuck.inbox) == 4
    assert router.dropped == {"receiver_busy": 96}


def test_the_same_place_is_taken_once() -> None:
    router = Router()
    router.add(DatagramChannel(HOST, 7, limit_items=1))
    router.add(ControlChannel(HOST, 48, limit_items=1))

    with pytest.raises(ConflictError, match="port 7"):
        router.add(DatagramChannel(HOST, 7, limit_items=1))
    with pytest.raises(ConflictError, match="service 48"):
        router.add(ControlChannel(HOST, 48, limit_items=1))


def test_what_was_removed_gets_nothing_and_is_removed_once() -> None:
    router = Router()
    channels = [
        DatagramChannel(HOST, 7, limit_items=1),
        service(Wanted(17)),
        ControlChannel(HOST, 17, limit_items=1),
    ]
    for channel in channels:
        router.add(channel)

    for channel in channels + channels:
        router.remove(channel)

    assert not router.take(datagram(7))
    assert not router.take(packet(1))
    assert not router.take(ControlReceived(PEER, 17, b"x"))


def test_free_ports_are_given_out_in_turn() -> None:
    router = Router()
    assert router.free_port() == FIRST_OWN_PORT

    router.add(DatagramChannel(HOST, FIRST_OWN_PORT, limit_items=1))

    assert router.free_port() == FIRST_OWN_PORT + 1


def test_an_answer_goes_to_who_waits_for_it_and_a_late_one_to_nobody() -> None:
    async def main() -> None:
        router = Router()
        waiting = router.echoes[PEER, 5] = asyncio.get_running_loop().create_future()

        for number in (4, 5, 5):
            assert router.take(EchoReceived(PEER, number, b"", 9))

        assert (await waiting).number == 5

    run_virtual(lambda _: main())


def test_only_the_host_that_was_asked_can_answer() -> None:
    async def main() -> None:
        router = Router()
        echo = router.echoes[PEER, 5] = asyncio.get_running_loop().create_future()

        for number in range(10):
            _ = router.take(EchoReceived(STRANGER, number, b"", 9))

        assert not echo.done()

    run_virtual(lambda _: main())


def test_closing_tells_all_that_wait() -> None:
    async def main() -> None:
        router = Router()
        waiting = router.echoes[PEER, 1] = asyncio.get_running_loop().create_future()
        router.close(LocalError("closed"))

        with pytest.raises(LocalError, match="closed"):
            _ = await waiting

    run_virtual(lambda _: main())


def test_a_change_of_attachment_is_noticed() -> None:
    router = Router()

    assert router.take(AttachmentChanged(PEER, is_up=True))

    assert router.moved.is_set()
