"""Who listens on a link gets the packets of that link, whole, and those of no other."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dpkt
import pytest

from ei.errors import DeniedError
from ei.lab.capture import udp_packet
from ei.lab.sniffing import JUMP_IF_EQUAL, MAX_PACKET_BYTES, Flow, Sniffer, filter_of, flow_of

LIMIT_S = 5.0


def test_between_whom_a_packet_goes_is_read_from_its_header() -> None:
    packet = udp_packet("198.18.0.1:1234", "198.18.0.2:53", b"hello")

    assert flow_of(packet) == ("198.18.0.1", 1234, "198.18.0.2", 53)
    assert flow_of(packet[:6] + b"\x00\x10" + packet[8:]) == ("198.18.0.1", 0, "198.18.0.2", 0)
    assert flow_of(packet[:19]) is None
    assert flow_of(b"\x60" + packet[1:]) is None


@contextmanager
def sniffing(path: Path, port: int) -> Iterator[Sniffer]:
    def is_on_link(flow: Flow) -> bool:
        return port in (flow[1], flow[3])

    try:
        sniffer = Sniffer(path, is_on_link, addresses={"127.0.0.1", "127.9.8.7"})
    except DeniedError as error:
        pytest.skip(str(error))
    try:
        yield sniffer
    finally:
        sniffer.stop()


@pytest.mark.slow
def test_packets_of_the_link_are_written_as_they_were(tmp_path: Path) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        for each in (receiver, other):
            each.bind(("127.0.0.1", 0))
        with sniffing(tmp_path / "pcap", receiver.getsockname()[1]) as sniffer:
            for number in range(3):
                _ = sender.sendto(b"payload %d" % number, receiver.getsockname())
                _ = sender.sendto(b"not of this link", other.getsockname())
            ends_s = time.monotonic() + LIMIT_S
            while sniffer.packets < 3 and time.monotonic() < ends_s:
                time.sleep(0.01)
            assert sniffer.lost() == 0

    content = (tmp_path / "pcap").read_bytes()
    with (tmp_path / "pcap").open("rb") as file:
        packets = [packet for _, packet in dpkt.pcap.Reader(file)]
    assert len(packets) == 3
    assert all(b"payload %d" % number in content for number in range(3))
    assert b"not of this link" not in content
    assert len(sniffer.flows) == 1


def test_the_kernel_takes_packets_from_or_to_one_of_the_addresses() -> None:
    program = filter_of({"1.2.3.4", "5.6.7.8"})
    steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]

    assert len(steps) == 8
    for at, (code, to_skip, _, _) in enumerate(steps):
        # Whichever is equal, the last step is next.
        assert code != JUMP_IF_EQUAL or at + 1 + to_skip == len(steps) - 1
    assert [operand for *_, operand in steps[-2:]] == [0, MAX_PACKET_BYTES]
