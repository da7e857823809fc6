"""What a node states about one packet, signed: of the form of `ei.records.signed`.

A statement answers one question and names its number, so that none of another question, and none
of another packet, can stand in its place.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ei.records.addresses import ADDRESS_BYTES
from ei.records.signed import Form
from ei.sdk.packets import Peer

TAG = b"ei statement 1\0"
MAX_STATEMENT_BYTES = 2_048
MAX_PARTS = 16

Asker = Literal["source", "operator", "receiver", "bundle"]
"""`source`: it named the service, or the bundle. `bundle`: the one before it that the source named.
"""

Fate = Literal["forwarded", "dropped", "waiting", "answered", "unseen", "withheld", "refused"]
"""What became of a packet at a node.

`forwarded`: it went on to `to`. `dropped`: it ended, for `reason`. `waiting`: it is here, for
`reason`. `answered`: its service took it. `unseen`: no such packet came here from the asker, or it
is forgotten. `withheld`: the node's domain does not say. `refused`: the service gives no receipts.
"""

Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.@+-]*$", max_length=80)]


class Part(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A service that had a say, such as `delivery@0.1.0`, and who asked for it."""

    module: Word
    asked_by: Asker


class Statement(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A node says what became of a packet there.

    Attributes:
        node: Who says so; the record of this address has the key that signs.
        number: Of the question.
        source, service, connection: Of the packet. Of several, the newest is meant.
        reason: A word, of the datapath or of a service; of what was dropped or waits.
        to: Where it went: an address, or the first 6 bytes of one where the domain names no
            nodes, its own or others; else empty.
        how: `cached`, `decided`, `queued` or `dropped`; empty where that is not revealed.
        spent_us: From its arrival until the node was done with it.
        parts: In the order of the chain; empty where that is not revealed.
    """

    node: Peer
    number: Annotated[int, Meta(ge=0)]
    source: Peer
    service: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    connection: Annotated[int, Meta(ge=0)]
    fate: Fate
    reason: Word = ""
    to: Annotated[bytes, Meta(max_length=ADDRESS_BYTES)] = b""
    how: Word = ""
    spent_us: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    parts: Annotated[tuple[Part, ...], Meta(max_length=MAX_PARTS)] = ()


STATEMENTS: Form[Statement] = Form(
    "statement", msgspec.msgpack.Decoder(Statement), TAG, MAX_STATEMENT_BYTES
)
