"""Events that a module may get, drawn from a few hosts, nodes and groups: much happens often.

What is drawn depends on the module's manifest and messages and on the source of randomness alone.
"""

from random import Random

import msgspec

from ei.runtime.batches import ControlReceived, Item, QueryResolved
from ei.runtime.loader import LoadedService
from ei.sdk import (
    Attachment,
    AttachmentOf,
    Connection,
    Group,
    GroupOf,
    NotKept,
    Packet,
    PacketArrived,
    PeerChanged,
    Query,
    Record,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    TallyRead,
)
from ei.testing import address
from ei.testing.crossroads import NODE

SELF, EAST, WEST = map(address, [NODE, "east", "west"])
ALICE, BOB, CAROL = map(address, ["alice", "bob", "carol"])
NEWS, WEATHER = map(address, ["news", "weather"])
ADDRESSES = (ALICE, BOB, CAROL, EAST, WEST, SELF, NEWS, WEATHER)

OPENINGS = (
    b"",
    b"junk",
    msgspec.msgpack.encode([[0, "www.example.org", 443, "tcp"], None]),
    msgspec.msgpack.encode([[0, "www.example.org", 80, "tcp"], SELF, True]),
    msgspec.msgpack.encode([[2, CAROL, 7], EAST]),
    msgspec.msgpack.encode([[0, "www.example.org", 443, "tcp"], None, False, bytes(16)]),
    msgspec.msgpack.encode([[0, "www.example.org", 443, "tcp"], None, False, bytes(16), 0]),
    msgspec.msgpack.encode([0, EAST, bytes(32)]),
    msgspec.msgpack.encode([1, EAST, b"\0\2" + bytes(352)]),
    msgspec.msgpack.encode([2, [0, "www.example.org", 443, "tcp"]]),
)
"""Of streams: such as termination and the relay understand."""

PIECES = (
    b"",
    b"GET / HTTP/1.1",
    *(
        len(frame).to_bytes(4, "little") + frame
        for frame in map(msgspec.msgpack.encode, ([1, 7, "word/#", 9, "x"], [0, 1, "word", b"one"]))
    ),
)
"""What is read from streams: a request for caching, frames for pub/sub."""

SUBJECTS = (b"\x01word", b"\x01word/one", b"\x02word")
"""Metadata such as pub/sub understands; the wishes of `_sample_of` are met."""

TREES = (NEWS + SELF, NEWS + EAST)
HISTORIES = (NEWS + ALICE + bytes(8), b"t")
MARKS = (b"", b"\x01", b"\x02", b"more")
ANSWERS: tuple[tuple[Query, Record | None], ...] = (
    (AttachmentOf(BOB), Attachment(BOB, (EAST, SELF))),
    (AttachmentOf(BOB), None),
    (GroupOf(NEWS), Group(NEWS, (SELF, EAST))),
    (GroupOf(NEWS), Group(NEWS, (WEST,))),
    (GroupOf(WEATHER), None),
)
PLAIN = ([0, "word"], [1, bytes(NEWS)], {"type": "word"}, "word", 7, bytes(WEATHER))
"""Messages, as msgpack has them."""

WINDOW_BYTES = 65_536
FOR_ALL = ("packet", "packet", "packet", "peer", "not_kept", "tally", "resolved")
"""What every module may get: packets, as a rule."""


def draw_item(loaded: LoadedService, random: Random) -> Item:
    """Draw any event that this module may get."""
    kinds = [*FOR_ALL]
    kinds += ["stream"] * 2 * ("streams" in loaded.manifest.capabilities)
    kinds += ["control"] * 2 * bool(loaded.messages)
    match random.choice(kinds):
        case "control":
            message = random.choice(messages_of(loaded))
            return ControlReceived(random.choice(ADDRESSES), msgspec.msgpack.encode(message))
        case "stream":
            return _stream_event(random)
        case kind:
            return _draw_for_all(kind, loaded.manifest.id, random)


def messages_of(loaded: LoadedService) -> list[object]:
    """Make messages of each kind: all bytes are the address of a group.

    A module in WebAssembly reads its messages itself, and gets plain ones.
    """
    if loaded.manifest.engine == "wasm":
        return [*PLAIN]
    return [
        kind(*[_sample_of(field.type, bytes(group)) for field in msgspec.structs.fields(kind)])
        for kind in loaded.messages
        for group in (NEWS, WEATHER)
    ]


def _sample_of(kind: object, group: bytes) -> object:
    """Make a value that a field of a message may have."""
    octets = (group, 2 * group, 4 * group, group[:8])
    samples = (*octets, (group,), (group[:8],), ("word",), (("word/#", False),), "word")
    for value in (*samples, 7, False):
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError:
            continue
    return msgspec.convert((), kind)


def _draw_for_all(kind: str, service: int, random: Random) -> Item:
    match kind:
        case "packet":
            return PacketArrived(_packet(service, random))
        case "peer":
            return PeerChanged(random.choice(ADDRESSES), random.choice((True, False)))
        case "not_kept":
            return NotKept(random.choice(HISTORIES), (bytes(8),), random.choice(ADDRESSES))
        case "tally":
            return TallyRead(b"t", random.randrange(10), random.randrange(10))
        case _:
            query, record = random.choice(ANSWERS)
            said = None if record is None else msgspec.msgpack.encode(record)
            return QueryResolved(msgspec.msgpack.encode(query), said)


def _packet(service: int, random: Random) -> Packet:
    plain = random.choice((b"", *ADDRESSES, *TREES)) + random.choice(MARKS)
    return Packet(
        service=service,
        ingress=random.choice((ALICE, BOB, EAST, WEST)),
        source=random.choice((ALICE, BOB)),
        connection=Connection(random.randrange(4)),
        metadata=random.choice((plain, plain, random.choice(SUBJECTS))),
        payload=random.choice((b"", b"one", b"other")),
        is_covered=random.choice((True, False)),
    )


def _stream_event(random: Random) -> StreamEvent:
    """Draw what may happen to a few streams; also to those that the service never heard of."""
    stream = random.randrange(2, 6)
    match random.randrange(4):
        case 0:
            peer, opening = random.choice((ALICE, EAST, SELF)), random.choice(OPENINGS)
            return StreamOpened(stream, peer, opening, WINDOW_BYTES)
        case 1:
            return StreamData(stream, random.choice(PIECES), random.choice((True, False)))
        case 2:
            return StreamWritable(stream, WINDOW_BYTES)
        case _:
            reason = random.choice(("ended", "reset", "refused", "lost"))
            return StreamClosed(stream, reason, 0, 0)
