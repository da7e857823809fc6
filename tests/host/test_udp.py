"""A real socket says plainly why it cannot be had, and carries datagrams."""

import asyncio

import pytest

from ei._core import Datapath
from ei.errors import ConfigError, ConflictError
from ei.host.udp import SocketTransport
from ei.records.keys import make_keys


def test_a_port_in_use_is_said_with_the_remedy() -> None:
    first = SocketTransport("127.0.0.1:0")
    try:
        with pytest.raises(ConflictError, match=f"cannot listen on {first.endpoint}") as caught:
            _ = SocketTransport(first.endpoint)
        assert "ss -lunp" in caught.value.remedy
    finally:
        first.close()


@pytest.mark.parametrize(
    ("bind", "said"),
    [("192.0.2.1:0", "not one of this machine"), ("nonsense", "bind"), ("127.0.0.1", "bind")],
)
def test_an_address_that_cannot_be_is_said(bind: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _ = SocketTransport(bind)


def test_closing_twice_is_closing_once() -> None:
    transport = SocketTransport("[::1]:0")

    transport.close()
    transport.close()


def test_what_arrives_wakes_its_owner() -> None:
    keys = make_keys(b"k" * 32)
    datapath = Datapath(role="host", address=keys.address(1), private_key=keys.pipe_secret)

    async def main() -> int:
        woken = asyncio.Event()
        receiver = SocketTransport("127.0.0.1:0")
        receiver.open(datapath, woken.set)
        host, _, port = receiver.endpoint.rpartition(":")
        sender, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(host, int(port))
        )
        sender.sendto(b"what no datapath understands")
        async with asyncio.timeout(5):
            _ = await woken.wait()
        received = receiver.receive(datapath, receiver.now_ns())
        sender.close()
        receiver.close()
        return received

    assert asyncio.run(main()) == 1
    assert sum(datapath.statistics()["dropped"].values()) == 1  # type: ignore[attr-defined]


def test_its_clock_is_the_loops() -> None:
    async def main() -> tuple[int, float]:
        transport = SocketTransport("127.0.0.1:0")
        try:
            return transport.now_ns(), asyncio.get_running_loop().time()
        finally:
            transport.close()

    now_ns, now_s = asyncio.run(main())

    assert now_ns / 1e9 == pytest.approx(now_s, abs=0.1)
