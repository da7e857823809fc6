import struct
from pathlib import Path

from ei.scenarios.odns.knowing import apart, packets_of


def packet(payload: bytes, *, protocol: int = 17) -> bytes:
    udp = struct.pack("!HHHH", 1_000, 2_000, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, protocol, 0)
    return head + bytes((127, 0, 0, 1, 127, 0, 0, 2)) + udp


def test_packets_of_a_capture_have_flow_and_length(tmp_path: Path) -> None:
    packets = [packet(b"x" * 30), packet(b"", protocol=6), packet(b"y")]
    written = b"".join(struct.pack("=IIII", 0, 0, len(each), len(each)) + each for each in packets)
    file = tmp_path / "pcap"
    _ = file.write_bytes(bytes(24) + written)

    flow = ("127.0.0.1", 1_000, "127.0.0.2", 2_000)
    assert list(packets_of(file)) == [(flow, 58), (flow, 29)]


def test_a_train_is_several_packets_of_one_size() -> None:
    assert apart([604, 604, 1_180, 604]) == [604] * 5
    assert apart([604, 620]) == [604, 620]
    assert apart([]) == []
