"""What the nodes of neighbour domains, and those of one domain, tell one another (service 3).

Control messages of msgpack, at most 64 KiB. `Start` asks for all from the beginning; the number of
an `Update` or `Inside` counts from 0, which begins to tell all: what is not told again until the
first one without `has_more` no longer holds. A number that is not the next means that something
was lost, and the receiver asks with `Start`.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.errors import IntegrityError
from ei.routing.announcements import MAX_ANNOUNCEMENT_BYTES, MAX_OFFERS, DomainNumber, Offer
from ei.routing.policy import Relation

MAX_MESSAGE_BYTES = 65_536
MAX_ENTRIES = 4_096

Number = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Announced = Annotated[bytes, Meta(max_length=MAX_ANNOUNCEMENT_BYTES)]


class Start(msgspec.Struct, frozen=True, array_like=True, tag=0, forbid_unknown_fields=True):
    """Tell me all, from the beginning."""


class Update(msgspec.Struct, frozen=True, array_like=True, tag=1, forbid_unknown_fields=True):
    """Between domains: what is reached through the sender, and what no longer.

    Attributes:
        announced: Each replaces what the sender said of its origin before.
        withdrawn: Origins.
    """

    number: Number
    has_more: bool = False
    announced: Annotated[tuple[Announced, ...], Meta(max_length=MAX_ENTRIES)] = ()
    withdrawn: Annotated[tuple[DomainNumber, ...], Meta(max_length=MAX_ENTRIES)] = ()


class Heard(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a neighbour announced to the sender, and what the neighbour is to this domain."""

    relation: Relation
    announced: Announced


class Lost(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a neighbour no longer announces to the sender."""

    origin: DomainNumber
    neighbour: DomainNumber


class Inside(msgspec.Struct, frozen=True, array_like=True, tag=2, forbid_unknown_fields=True):
    """Within a domain: what the sender's neighbours announced to it, and what it offers itself.

    Attributes:
        offers: All services of the sender, if it tells them in this message.
    """

    number: Number
    has_more: bool = False
    heard: Annotated[tuple[Heard, ...], Meta(max_length=MAX_ENTRIES)] = ()
    lost: Annotated[tuple[Lost, ...], Meta(max_length=MAX_ENTRIES)] = ()
    offers: Annotated[tuple[Offer, ...], Meta(max_length=MAX_OFFERS)] | None = None


Message = Start | Update | Inside

_messages: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def write_message(message: Message) -> bytes:
    """Return the bytes of a message."""
    return msgspec.msgpack.encode(message)


def read_message(received: bytes) -> Message:
    """Return what the bytes say.

    Raises:
        IntegrityError: too long, or not a message; says which field is wrong.
    """
    if len(received) > MAX_MESSAGE_BYTES:
        raise IntegrityError(
            f"message of {len(received)} B exceeds the allowed {MAX_MESSAGE_BYTES} B"
        )
    try:
        return _messages.decode(received)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(f"not a message of routing: {error}") from error
