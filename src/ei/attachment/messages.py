"""Control messages of service 6, which a node answers itself: msgpack arrays, the kind first.

    0  Draining   grace_ms            a node to all who have a pipe with it: I shall stop
    1  Moved                          the answer: I hand you nothing more
    8  Guard      envelope            a host to its node: services to run before the pipe to me
    16 Explain    number, source, service, connection
                                      to the node that a packet was handed to: what became of it?
    17 Explained  number, statement   the answer of that node, or of one further on

Kinds 8 to 15 are for registering, 16 to 23 for explaining.
"""

from typing import Annotated

import msgspec

from ei.attachment.statements import MAX_STATEMENT_BYTES
from ei.errors import PeerError
from ei.records.envelope import MAX_ENVELOPE_BYTES
from ei.sdk.packets import Peer

ATTACHMENT = 6


class Draining(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0, forbid_unknown_fields=True
):
    """A node stops soon, and asks to be left: `Moved` is the answer, once it is true.

    Attributes:
        grace_ms: How long it waits for that answer.
    """

    grace_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)]


class Moved(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1, forbid_unknown_fields=True
):
    """Who sends it hands the node nothing more; what the node still hands on is taken."""


class Guard(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=8, forbid_unknown_fields=True
):
    """A host's attachment, which says its guards: to each of its nodes, as soon as a pipe is up.

    Attributes:
        envelope: Signed by the host.
    """

    envelope: Annotated[bytes, msgspec.Meta(max_length=MAX_ENVELOPE_BYTES)]


class Explain(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=16, forbid_unknown_fields=True
):
    """What became of a packet, there and further on? Asked by who handed the packet over.

    Attributes:
        number: Drawn by the source, new for each question; all answers repeat it.
    """

    number: Annotated[int, msgspec.Meta(ge=0)]
    source: Peer
    service: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
    connection: Annotated[int, msgspec.Meta(ge=0)]


class Explained(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=17, forbid_unknown_fields=True
):
    """One answer to `Explain`; nodes hand on those of the nodes after them.

    Attributes:
        statement: Signed, see `ei.attachment.statements`.
    """

    number: Annotated[int, msgspec.Meta(ge=0)]
    statement: Annotated[bytes, msgspec.Meta(max_length=MAX_STATEMENT_BYTES)]


AttachmentMessage = Draining | Moved | Guard | Explain | Explained

_decoder: msgspec.msgpack.Decoder[AttachmentMessage] = msgspec.msgpack.Decoder(AttachmentMessage)
_encoder = msgspec.msgpack.Encoder()


def encode(message: AttachmentMessage) -> bytes:
    """Return the message as it travels."""
    return _encoder.encode(message)


def decode(message: bytes) -> AttachmentMessage:
    """Parse a message.

    Raises:
        PeerError: it is none of these: what is wrong.
    """
    try:
        return _decoder.decode(message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"not a message of service {ATTACHMENT}: {error}") from error
