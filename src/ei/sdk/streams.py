"""Streams: bytes in order, over QUIC on an L3.5 connection or over TCP to the legacy Internet.

A service pulls: it is told of bytes only after it asked with `ReadStream`, and writes only as much
as the window it was told of. So nothing waits without bound, on either side, and a slow reader
slows whoever writes to it.

    StreamOpened ──▶ ReadStream ──▶ StreamData ──▶ WriteStream (to the other) ──▶ ReadStream ...
                 └─▶ SpliceStreams: from here on bytes go natively, and only the end is told

Each stream ends with one `StreamClosed`. An event of a stream that comes to nothing closes the
stream: its bytes would be missing. The streams of a worker that dies are closed with it; the next
one is told of none of them.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ei.sdk.packets import Address, Peer
from ei.sdk.stages import Meter

MAX_PIECE_BYTES = 64 * 1024
MAX_OPENING_BYTES = 1_024
MAX_KEEP_BYTES = 16 * 1024 * 1024
MAX_AHEAD = 64

StreamNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""Which stream of a service on a node.

Even: others opened it. Odd: the service did, and chose it; `number | 1` is free to be the partner
of an even one.
"""

OwnStream = Annotated[int, Meta(ge=1, le=2**63 - 1)]
HostName = Annotated[str, Meta(min_length=1, max_length=253, pattern=r"^[\x21-\x7e]+\Z")]
"""A name of the DNS or an address as text: printable ASCII, other letters by IDNA."""

Opening = Annotated[bytes, Meta(max_length=MAX_OPENING_BYTES)]
Piece = Annotated[bytes, Meta(max_length=MAX_PIECE_BYTES)]


class Legacy(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """A TCP or UDP port of the legacy Internet; needs the capability `internet`.

    Attributes:
        host: Name, or address as text; resolved by the node, and refused (`not_allowed`) when what
            comes out is not on the operator's list or is an address of the operator's own.
        port: 1 to 65_535.
        transport: With `udp` each datagram is `length u16 little-endian | datagram` in what is
            read and written; where pieces begin and end means nothing.
    """

    host: HostName
    port: Annotated[int, Meta(ge=1, le=65_535)]
    transport: Literal["tcp", "udp"] = "tcp"


class AtNode(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """The same service on another node, which gets `StreamOpened` with this opening.

    Attributes:
        node: A peer. The connection to it is kept warm and shared by all streams.
        opening: The service's own bytes, 0 to 1_024: what the stream is for.
    """

    node: Peer
    opening: Opening = b""


class AtHost(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """A port on which a host accepts streams, as `Host.accept_streams`.

    Attributes:
        host: Address of the host, wherever it is attached.
        port: 0 to 65_535.
    """

    host: Peer
    port: Annotated[int, Meta(ge=0, le=65_535)]


StreamTarget = Legacy | AtNode | AtHost


class StreamOpened(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=8):
    """A stream is there: one that another opened, or the one of `OpenStream`.

    Attributes:
        stream: Its number; odd when it is the service's own.
        peer: Who is at the other end and proved its key: host or node. Of a legacy stream the node
            itself.
        opening: What the opener said it is for, 0 to 1_024 bytes; empty for the service's own.
        window: Bytes that may be written now.
    """

    stream: int
    peer: Address
    opening: bytes
    window: int


class StreamData(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=9):
    """The answer to `ReadStream`.

    Attributes:
        data: 1 to 64 KiB; empty only at the end.
        is_end: The other end writes no more. It may still read.
    """

    stream: int
    data: bytes
    is_end: bool


class StreamWritable(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=10):
    """After writes used the window up by more than half: how much may be written now in all."""

    stream: int
    window: int


class StreamClosed(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=11):
    """The last event of a stream, of one that could not be opened too.

    Attributes:
        reason: `ended` (both directions came to their end), `reset` (the other end gave it up),
            `closed` (by `CloseStream`), `refused`, `unreachable`, `not_allowed`, `deadline`,
            `stream_overrun`, `lost` (its connection broke, or one behind it), `too_many_streams`,
            `too_late` (what it was to begin with is not kept any more) or `bad_tls` (its other end
            broke the rules of TLS).
        read_bytes: That came from the other end.
        written_bytes: That went to it.
    """

    stream: int
    reason: str
    read_bytes: int
    written_bytes: int


StreamEvent = StreamOpened | StreamData | StreamWritable | StreamClosed


class OpenStream(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=12):
    """Open a stream; `StreamOpened` or `StreamClosed` follows.

    Attributes:
        stream: An odd number of the service's choice that no open stream of it has.
        to: Where to.
        deadline_s: Until then it is open, or closed with `deadline`; above 0 and up to 60.
        ahead: Of a TCP port: so many connections to it are kept open from now on for the streams
            that are opened next, 0 to 64. Each serves one and is replaced; those that the other end
            closes are thrown away, and all when none was wanted for five minutes.
    """

    stream: OwnStream
    to: StreamTarget
    deadline_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    ahead: Annotated[int, Meta(ge=0, le=MAX_AHEAD)] = 0


class ReadStream(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=13):
    """Ask for the next piece; one `StreamData` answers, when there are bytes or the end.

    Attributes:
        limit: Most bytes of it, 1 to 64 KiB.
        idle_s: Without a byte for so long the stream is closed (`deadline`); above 0, to an hour.
    """

    stream: StreamNumber
    limit: Annotated[int, Meta(ge=1, le=MAX_PIECE_BYTES)] = MAX_PIECE_BYTES
    idle_s: Annotated[float, Meta(gt=0, le=3_600)] = 300.0


class WriteStream(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=14):
    """Write bytes; beyond the window the stream is closed (`stream_overrun`).

    Attributes:
        data: 0 to 64 KiB.
        is_end: Nothing more will be written; the other end sees the end after these bytes.
    """

    stream: StreamNumber
    data: Piece = b""
    is_end: bool = False


class CloseStream(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=15):
    """Give a stream up at once: what was written may not arrive, unless its end was written.

    After a `WriteStream` with `is_end` it gives up reading alone, so a last word gets through.
    Without effect on a stream that is closed already.
    """

    stream: StreamNumber


class SpliceStreams(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=16):
    """Join two open streams natively: what comes from one goes to the other, ends included.

    What was written before goes first. Afterwards both belong to the datapath: the service may only
    close them, and is told `StreamClosed` of each when both directions have ended.

    With `keep_bytes` another stream can take the place of `a`. What ends `a` does not end `b` then,
    nor does its end: of `a` alone the service is told `StreamClosed`, and all of its `read_bytes`
    go to `b`. Nothing is read from `b` until it is spliced again; closing it is the service's.

        a ══ b      a is lost      c ══ b, from_byte: what c has of b already

    Attributes:
        a, b: Two streams of this service, neither of them with a `ReadStream` unanswered.
        idle_s: Without a byte either way for so long both are closed (`deadline`); so is `b` when
            it is spliced no more.
        keep_bytes: So many of the last bytes of `b` are kept, 0 to 16 MiB; fewer when buffers are
            short. What the service read itself is not, nor what was before it.
        from_byte: Of all bytes that ever came from `b` the first for `a`; `None`: the next. When it
            is not kept any more, or has not come yet, `a` is closed (`too_late`), `b` is not.
        meter: Bytes of both directions take its tokens; where it is empty, nothing is read until it
            is not. All splices of the service that name its object share it, in turns, by the rate
            and burst that were said last. It is not the object of that name of a packet's stages.
    """

    a: StreamNumber
    b: StreamNumber
    idle_s: Annotated[float, Meta(gt=0, le=86_400)] = 3_600.0
    keep_bytes: Annotated[int, Meta(ge=0, le=MAX_KEEP_BYTES)] = 0
    from_byte: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    meter: Meter | None = None


class StartTls(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=17):
    """End the TLS of a stream here, as one of the operator's sites; needs the capability `sites`.

    What was written before goes first, as it is. From then on the other end is to greet, and what
    is read, written and spliced is what it says inside of TLS. The service may go on at once: bytes
    wait for the handshake, whose failure is `StreamClosed` with `bad_tls`. An end that TLS does not
    say is `reset`.

    Attributes:
        stream: Open, not spliced, and its end not written.
        site: Its name, as in `[sites]` of the node; else the stream is closed (`not_allowed`).
    """

    stream: StreamNumber
    site: HostName


StreamEffect = OpenStream | ReadStream | WriteStream | CloseStream | SpliceStreams | StartTls
