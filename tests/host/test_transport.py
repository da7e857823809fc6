"""Both transports are transports: the real one, and the lab's."""

from ei.host.transport import Transport
from ei.host.udp import SocketTransport
from ei.lab.simhost import SimTransport


def test_a_host_takes_either() -> None:
    def takes(_transport: type[Transport]) -> bool:
        return True

    assert takes(SocketTransport)
    assert takes(SimTransport)
