"""What capture files promise: dpkt, which is not ours, reads them."""

import io
import struct

import dpkt
import pytest

from ei.lab.capture import (
    Capture,
    LoggedHeader,
    fate_comment,
    opened_form,
    read_log,
    udp_packet,
)

HEADER = bytes(range(20))


def data_datagram(*, sealed: bytes, rest: bytes = b"") -> bytes:
    return struct.pack("<BBHIQ", 0x14, 0, len(sealed), 5, 9) + sealed + rest


def test_a_foreign_reader_finds_time_addresses_and_payload() -> None:
    file = io.BytesIO()
    capture = Capture(file.write, program="test", unix_offset_ns=1_800_000_000 * 10**9)
    capture.frame(2_500_000_000, "10.0.0.1:3535", "10.0.0.2:3536", b"hello")
    file.seek(0)

    ((stamp_s, packet),) = list(dpkt.pcapng.Reader(file))

    ip = dpkt.ip.IP(packet)
    assert float(stamp_s) == 1_800_000_002.5
    assert (ip.src, ip.dst) == (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    assert (ip.data.sport, ip.data.dport, ip.data.data) == (3535, 3536, b"hello")


@pytest.mark.parametrize(
    ("source", "to", "parse"),
    [
        ("127.0.0.1:1", "127.0.0.2:2", dpkt.ip.IP),
        ("[::1]:1", "[fe80::1]:2", dpkt.ip6.IP6),
    ],
)
def test_checksums_are_right(source: str, to: str, parse: type[dpkt.Packet]) -> None:
    packet = udp_packet(source, to, b"odd")

    again = parse(packet)
    again.data.sum = 0
    if parse is dpkt.ip.IP:
        again.sum = 0

    assert bytes(again) == packet


def test_an_opened_datagram_keeps_its_lengths_and_shows_its_header() -> None:
    datagram = data_datagram(sealed=b"x" * 20 + b"t" * 16, rest=b"payload")

    opened = opened_form(datagram, HEADER)

    assert len(opened) == len(datagram)
    assert opened[1] == 0x80
    assert opened[16:36] == HEADER
    assert opened[36:52] == bytes(16)
    assert opened[52:] == b"payload"


def test_a_covered_payload_is_shown_as_zeros() -> None:
    opened = opened_form(data_datagram(sealed=b"x" * (20 + 5 + 16)), HEADER)

    assert opened[36:41] == bytes(5)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x11" + bytes(100),
        data_datagram(sealed=b"x" * 10),
        data_datagram(sealed=b"x" * 36)[:-1],
    ],
)
def test_what_is_no_data_datagram_stays_as_it_was(datagram: bytes) -> None:
    assert opened_form(datagram, HEADER) == datagram


def test_a_log_is_read_back_entry_by_entry() -> None:
    log = struct.pack("<QIBH", 1, 100, 2, 3) + b"abc" + struct.pack("<QIBH", 2, 50, 0, 0)

    assert read_log(log) == [LoggedHeader(1, 100, 2, b"abc"), LoggedHeader(2, 50, 0, b"")]


def test_a_comment_is_kept_beside_its_frame() -> None:
    file = io.BytesIO()
    Capture(file.write, program="test").frame(0, "10.0.0.1:1", "10.0.0.2:1", b"", comment="lost")

    assert b"lost" in file.getvalue()


def test_a_comment_tells_fate_and_reason_as_the_dissectors_read_them() -> None:
    assert fate_comment("forwarded") == "fate=forwarded"
    assert fate_comment("replayed") == "fate=dropped reason=replayed"
