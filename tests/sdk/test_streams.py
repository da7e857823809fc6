import msgspec
import pytest

from ei.sdk import (
    Address,
    AtHost,
    AtNode,
    CloseStream,
    Legacy,
    Meter,
    OpenStream,
    ReadStream,
    SpliceStreams,
    StartTls,
    StreamClosed,
    StreamData,
    StreamEffect,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    WriteStream,
)
from ei.sdk.streams import MAX_AHEAD, MAX_KEEP_BYTES, MAX_OPENING_BYTES, MAX_PIECE_BYTES

A = Address(b"a" * 16)
A_HEX = "c410" + "61" * 16
ONE_S = "cb3ff0000000000000"

SAID: list[tuple[StreamEvent | StreamEffect, str]] = [
    (StreamOpened(2, A, b"o", 9), f"950802{A_HEX}c4016f09"),
    (StreamData(2, b"d", is_end=True), "940902c40164c3"),
    (StreamWritable(2, 9), "930a0209"),
    (StreamClosed(2, "ended", 3, 4), "950b02a5656e6465640304"),
    (OpenStream(3, Legacy("h", 80), 1.0), f"950c039400a16850a3746370{ONE_S}00"),
    (OpenStream(3, AtNode(A, b"o"), 1.0), f"950c039301{A_HEX}c4016f{ONE_S}00"),
    (OpenStream(3, AtHost(A, 7), 1.0), f"950c039302{A_HEX}07{ONE_S}00"),
    (ReadStream(2, 9, 1.0), f"940d0209{ONE_S}"),
    (WriteStream(2, b"d", is_end=True), "940e02c40164c3"),
    (CloseStream(2), "920f02"),
    (SpliceStreams(2, 3, 1.0), f"97100203{ONE_S}00c0c0"),
    (SpliceStreams(2, 3, 1.0, keep_bytes=9, from_byte=7), f"97100203{ONE_S}0907c0"),
    (StartTls(2, "s"), "931102a173"),
]


@pytest.mark.parametrize(("said", "golden"), SAID, ids=lambda value: type(value).__name__)
def test_what_is_said_of_streams_is_an_array_that_starts_with_its_tag(
    said: StreamEvent | StreamEffect, golden: str
) -> None:
    assert msgspec.msgpack.encode(said).hex() == golden
    assert msgspec.msgpack.decode(bytes.fromhex(golden), type=type(said)) == said


def test_an_open_stream_is_given_ten_seconds_and_a_silent_one_five_minutes() -> None:
    assert OpenStream(3, Legacy("example.org", 443)).deadline_s == 10.0
    assert ReadStream(3).idle_s == 300.0


@pytest.mark.parametrize(
    "asked",
    [
        OpenStream(1, Legacy("", 80)),
        OpenStream(1, Legacy("h" * 254, 80)),
        OpenStream(1, Legacy("é" * 200, 80)),
        OpenStream(1, Legacy("two words", 80)),
        OpenStream(1, Legacy("h\n", 80)),
        OpenStream(1, Legacy("h", 0)),
        OpenStream(1, Legacy("h", 65_536)),
        OpenStream(1, Legacy("h", 80, "sctp")),  # type: ignore[arg-type]
        OpenStream(1, AtNode(Address(b"short"))),
        OpenStream(1, AtNode(A, bytes(MAX_OPENING_BYTES + 1))),
        OpenStream(1, AtHost(A, 65_536)),
        OpenStream(0, AtNode(A)),
        OpenStream(1, AtNode(A), 0.0),
        OpenStream(1, AtNode(A), 61.0),
        OpenStream(1, Legacy("h", 80), 1.0, -1),
        OpenStream(1, Legacy("h", 80), 1.0, MAX_AHEAD + 1),
        StartTls(2, ""),
        StartTls(2, "two words"),
        ReadStream(2, 0),
        ReadStream(2, MAX_PIECE_BYTES + 1),
        ReadStream(2, 1, 3_601.0),
        ReadStream(-1),
        ReadStream(2**63),
        WriteStream(2, bytes(MAX_PIECE_BYTES + 1)),
        SpliceStreams(2, 3, 0.0),
        SpliceStreams(2, 3, 86_401.0),
        SpliceStreams(2, 3, keep_bytes=-1),
        SpliceStreams(2, 3, keep_bytes=MAX_KEEP_BYTES + 1),
        SpliceStreams(2, 3, from_byte=-1),
        SpliceStreams(2, 3, meter=Meter(b"", 1, 1)),
        SpliceStreams(2, 3, meter=Meter(b"o", 0, 1)),
    ],
)
def test_what_is_beyond_its_limits_is_not_read_back(asked: StreamEffect) -> None:
    with pytest.raises((msgspec.ValidationError, OverflowError)):
        _ = msgspec.msgpack.decode(msgspec.msgpack.encode(asked), type=type(asked))
