from contextlib import suppress
from pathlib import Path

import dpkt
import pytest
from dpkt import ethernet, ip, pcap, udp
from hypothesis import given
from hypothesis import strategies as st

from ei.dissector.capture import Captured, read_capture
from ei.errors import PeerError
from ei.lab.capture import Capture


def write_one(path: Path, datagram: bytes = b"hello") -> None:
    with path.open("wb") as file:
        capture = Capture(file.write, program="test", unix_offset_ns=1_000_000_000)
        capture.frame(500_000_000, "127.0.0.1:3535", "127.0.0.2:4000", datagram, comment="fate=x")


def test_what_the_lab_captured_is_read_with_its_comment(tmp_path: Path) -> None:
    write_one(tmp_path / "one.pcapng")

    assert list(read_capture(tmp_path / "one.pcapng")) == [
        Captured(1, 1.5, "127.0.0.1:3535", "127.0.0.2:4000", (3535, 4000), b"hello", "fate=x")
    ]


def test_a_plain_pcap_file_over_ethernet_is_read(tmp_path: Path) -> None:
    inner = udp.UDP(sport=1, dport=2, ulen=13, data=b"hello")
    packet = ip.IP(src=bytes([10, 0, 0, 1]), dst=bytes([10, 0, 0, 2]), p=17, len=33, data=inner)
    frame = ethernet.Ethernet(type=0x0800, data=packet)
    path = tmp_path / "one.pcap"
    with path.open("wb") as file:
        pcap.Writer(file).writepkt(bytes(frame), 2.5)

    (captured,) = read_capture(path)

    assert captured == Captured(1, 2.5, "10.0.0.1:1", "10.0.0.2:2", (1, 2), b"hello", "")


def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and no capture at all")

    with pytest.raises(PeerError, match=r"notes\.txt is no pcapng or pcap file"):
        list(read_capture(path))


def test_what_came_before_the_damage_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcapng"
    write_one(path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[whole.index(b"\6\0\0\0") : -8])

    packets = read_capture(path)

    assert next(packets).datagram == b"hello"
    with pytest.raises(PeerError, match="breaks off within a block"):
        next(packets)


def test_packets_that_are_not_udp_only_count(tmp_path: Path) -> None:
    path = tmp_path / "mixed.pcapng"
    write_one(path)
    write_one(second := tmp_path / "second.pcapng", b"second")
    broken = bytes(dpkt.pcapng.EnhancedPacketBlockLE(pkt_data=b"\x45\x00"))
    path.write_bytes(path.read_bytes() + broken + second.read_bytes())

    assert [(captured.number, captured.datagram) for captured in read_capture(path)] == [
        (1, b"hello"),
        (3, b"second"),
    ]


@given(st.integers(0, 300), st.binary(min_size=1, max_size=8))
def test_damage_anywhere_raises_nothing_but_a_peer_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, change: bytes
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "one.pcapng"
    write_one(path, bytes(100))
    whole = bytearray(path.read_bytes())
    whole[position : position + len(change)] = change
    path.write_bytes(whole)

    packets: list[Captured] = []
    with suppress(PeerError):
        packets.extend(read_capture(path))

    assert len(packets) <= 2
