"""Frames between host stacks: pinned bytes, and nothing received raises anything but PeerError."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import PeerError
from ei.host.frames import Frame, FrameKind, encode_frame, parse_frame

PORTS = st.integers(0, 2**16 - 1)


def test_the_bytes_of_a_frame_are_pinned() -> None:
    frame = Frame(FrameKind.DATAGRAM, 5, b"hi", source_port=1, destination_port=0x1234)

    assert encode_frame(frame).hex() == "01" + "0100" + "3412" + "0500000000000000" + "6869"


@given(st.sampled_from(FrameKind), st.integers(0, 2**64 - 1), st.binary(max_size=99), PORTS, PORTS)
def test_a_frame_survives_its_bytes(
    kind: FrameKind, number: int, data: bytes, source_port: int, port: int
) -> None:
    frame = Frame(kind, number, data, source_port, port)

    assert parse_frame(encode_frame(frame)) == frame


@given(st.binary(max_size=40))
def test_any_bytes_are_a_frame_or_refused(received: bytes) -> None:
    try:
        frame = parse_frame(received)
    except PeerError:
        return
    assert encode_frame(frame) == received


def test_what_was_seen_and_what_is_allowed_are_said() -> None:
    with pytest.raises(PeerError, match="12 B is shorter than its 13 B header"):
        _ = parse_frame(bytes(12))
    with pytest.raises(PeerError, match="kind 99; known are 1 to 7"):
        _ = parse_frame(b"\x63" + bytes(12))
