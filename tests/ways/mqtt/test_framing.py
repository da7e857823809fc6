"""Packets come out of a stream of bytes however it is cut, and none beyond the limit is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.ways.mqtt.framing import Framer
from ei.ways.mqtt.reasons import MqttError, Reason
from ei.ways.mqtt.wire import varint

PACKETS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=10)


@pytest.mark.slow
@given(PACKETS, st.lists(st.integers(1, 400), max_size=30))
def test_packets_come_as_they_were_sent_however_they_are_cut(
    sent: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    data = b"".join(bytes([first]) + varint(len(body)) + body for first, body in sent)
    framer = Framer(1_000)
    got: list[tuple[int, bytes]] = []
    for cut in [*cuts, len(data)]:
        framer.feed(data[:cut])
        data = data[cut:]
        while (packet := framer.next()) is not None:
            got.append(packet)

    assert got == sent
    assert "0 B waiting" in repr(framer)


@pytest.mark.slow
@given(st.binary(max_size=100))
def test_any_bytes_are_packets_or_malformed(data: bytes) -> None:
    framer = Framer(50)
    framer.feed(data)
    taken = 0
    try:
        while (packet := framer.next()) is not None:
            taken += 2 + len(packet[1])
    except MqttError:
        return

    assert taken <= len(data)


def test_a_packet_that_would_be_too_long_is_refused_at_its_head() -> None:
    framer = Framer(100)
    framer.feed(b"\x30" + varint(98))
    assert framer.next() is None
    framer = Framer(100)
    framer.feed(b"\x30" + varint(99))

    with pytest.raises(MqttError, match="99 B seen, 100 B allowed") as caught:
        _ = framer.next()

    assert caught.value.reason is Reason.PACKET_TOO_LARGE


@pytest.mark.parametrize("length", ["ffffffff", "8000", "ff00"])
def test_a_length_that_is_none_is_malformed(length: str) -> None:
    framer = Framer(1_000_000_000)
    framer.feed(b"\x30" + bytes.fromhex(length))

    with pytest.raises(MqttError, match="a length"):
        _ = framer.next()
