"""B1, B5: bytes made to cost much, before every parser that strangers reach.

`fuzz/` looks for what nobody thought of; here is what everybody thinks of first.
"""

import time  # noqa: TID251 what parsing costs is what is tested
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from ei.attachment import messages as attachment
from ei.daemons.messages import parse_answer, parse_request
from ei.directory import messages as directory
from ei.errors import EiError
from ei.host.frames import parse_frame
from ei.records import envelope, requests
from ei.records.lists import open_list
from ei.records.record_files import decode_records
from ei.routing.announcements import read_announcement
from ei.routing.messages import read_message
from ei.runtime.codec import Codec

PARSERS: dict[str, Callable[[bytes], object]] = {
    "attachment": attachment.decode,
    "directory": directory.decode,
    "routing": read_message,
    "announcement": read_announcement,
    "frame": parse_frame,
    "request": parse_request,
    "answer": parse_answer,
    "events": Codec(()).events,
    "record": envelope.open_record,
    "records": decode_records,
    "list": open_list,
    "enrolment": lambda body: requests.open_request(body, unix_s=1.8e9),
}
LIMIT_MS = 10.0
TIMES = 64
FIXED_BYTES = 64 * 1024
"""Of an error with its traceback, and of what a parser makes on its first input."""


def nested() -> Iterator[bytes]:
    """255 deep, and as deep as a control message of 64 KiB goes."""
    for depth in (255, 65_000):
        yield b"\x91" * depth + b"\xc0"
        yield b"\x81\x00" * (depth // 2) + b"\xc0"
        yield b"[" * (depth // 2) + b"]" * (depth // 2)
        yield b'{"a":' * (depth // 6) + b"1" + b"}" * (depth // 6)
        for tag in range(12):
            for fields in range(1, 9):
                rest = b"\x91" * (depth - 16) + b"\xc0" * fields
                yield bytes([0x90 + fields, tag]) + rest


def overstated() -> Iterator[bytes]:
    """Lengths beyond all that follows."""
    for length in (b"\xdd", b"\xdf", b"\xc6", b"\xdb"):
        yield length + b"\xff\xff\xff\xff"
        for tag in range(12):
            yield bytes([0x93, tag]) + length + b"\xff\xff\xff\xff"


def empty() -> Iterator[bytes]:
    """Nothing at all, or as many as there is room for."""
    yield b""
    for item in (b"\xc4\x00", b"\xa0", b"\x90", b"\x80", b"\xc0"):
        count = 65_000 // len(item)
        items = b"\xdc" + count.to_bytes(2, "big") + item * count
        yield items
        for tag in range(12):
            for fields in range(2, 6):
                yield bytes([0x90 + fields, tag]) + items * (fields - 1)


def repeated() -> Iterator[bytes]:
    """One key again and again."""
    yield b"\xde\x7f\xff" + b"\xa1a\x01" * 0x7FFF
    yield b"{" + b",".join([b'"verb":"status"'] * 4_000) + b"}"


@pytest.mark.parametrize("made", [nested, overstated, empty, repeated])
@pytest.mark.parametrize("name", PARSERS)
def test_b5_hostile_bytes_are_refused_cheaply(
    name: str, made: Callable[[], Iterator[bytes]]
) -> None:
    parse = PARSERS[name]

    for hostile in made():
        assert cost_ms(parse, hostile) <= LIMIT_MS, hostile[:16]
        assert peak_bytes(parse, hostile) <= TIMES * len(hostile) + FIXED_BYTES, hostile[:16]


def attempt(parse: Callable[[bytes], object], hostile: bytes) -> None:
    """What is not read is refused in our words; anything else is raised."""
    with suppress(EiError):
        _ = parse(hostile)


def cost_ms(parse: Callable[[bytes], object], hostile: bytes) -> float:
    """CPU time of the fastest of three tries: what else the machine does is not its fault."""
    fastest = LIMIT_MS + 1
    for _ in range(3):
        began_ns = time.thread_time_ns()
        attempt(parse, hostile)
        fastest = min(fastest, (time.thread_time_ns() - began_ns) / 1e6)
        if fastest <= LIMIT_MS:
            break
    return fastest


def peak_bytes(parse: Callable[[bytes], object], hostile: bytes) -> int:
    """Memory of Python objects while it is read."""
    tracemalloc.start()
    try:
        attempt(parse, hostile)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
