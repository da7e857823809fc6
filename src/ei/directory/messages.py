"""What hosts, nodes and directories tell each other: the control messages of service 2.

host -> node        Find, Register            node -> host        Found, Unfound, Registered
node -> directory   Ask, Release, Register    directory -> node   Answer, Refused, Registered

An `Answer` comes to an `Ask`, and again, unasked for, whenever it changes while the lease runs. Its
envelopes are those of `ei.records`: what the answer rests on, then the answer itself, which may be
an `Absence`. Nodes pass them on as they are.

Source: docs/reference/wire.md section 11.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.errors import PeerError
from ei.records.envelope import MAX_ENVELOPE_BYTES

DIRECTORY = 2
"""Number of the service."""

MAX_ENVELOPES = 2
MAX_MESSAGE_BYTES = 2 * MAX_ENVELOPE_BYTES + 512
MAX_LEASE_S = 3_600

Place = Annotated[bytes, Meta(min_length=16, max_length=16)]
Name = Annotated[str, Meta(min_length=3, max_length=200)]
Envelope = Annotated[bytes, Meta(max_length=MAX_ENVELOPE_BYTES)]
Envelopes = Annotated[tuple[Envelope, ...], Meta(min_length=1, max_length=MAX_ENVELOPES)]
Number = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seconds = Annotated[int, Meta(ge=0, le=MAX_LEASE_S)]
Word = Annotated[str, Meta(max_length=32)]


class Named(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0, forbid_unknown_fields=True
):
    """Which host or group has this full name?"""

    name: Name


class Addressed(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1, forbid_unknown_fields=True
):
    """Which host or group has this address?"""

    address: Place


class Attached(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2, forbid_unknown_fields=True
):
    """Where is this host attached? Nodes alone may ask."""

    host: Place


Query = Named | Addressed | Attached


class Find(msgspec.Struct, frozen=True, array_like=True, tag=0, forbid_unknown_fields=True):
    """Host to its node: answer this. `number` is the host's own, to tell its questions apart."""

    number: Number
    query: Query


class Found(msgspec.Struct, frozen=True, array_like=True, tag=1, forbid_unknown_fields=True):
    """Node to host: the answer, which the host verifies itself."""

    number: Number
    envelopes: Envelopes


class Unfound(msgspec.Struct, frozen=True, array_like=True, tag=2, forbid_unknown_fields=True):
    """Node to host: there is no answer now, for a reason of `ei.directory.reasons`."""

    number: Number
    reason: Word


class Register(msgspec.Struct, frozen=True, array_like=True, tag=3, forbid_unknown_fields=True):
    """Where a host says it is attached: from it to its node, from there to its home directories."""

    envelope: Envelope


class Registered(msgspec.Struct, frozen=True, array_like=True, tag=4, forbid_unknown_fields=True):
    """A directory keeps the attachment, on disk; or does not, for a `reason` that is not empty."""

    host: Place
    sequence: Sequence
    reason: Word = ""


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=5, forbid_unknown_fields=True):
    """Node to directory: answer this, and tell me of changes for `lease_s`; 0 for the answer alone.

    Asking again renews the lease. Who the question comes from in the end is not said.
    """

    query: Query
    lease_s: Seconds


class Answer(msgspec.Struct, frozen=True, array_like=True, tag=6, forbid_unknown_fields=True):
    """Directory to node: this is so, and may be kept for `lifetime_s`.

    Attributes:
        is_leased: Until then every change is told; else somebody has to ask again.
    """

    query: Query
    envelopes: Envelopes
    lifetime_s: Seconds
    is_leased: bool


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=7, forbid_unknown_fields=True):
    """Directory to node: this one does not answer that, for a reason of `ei.directory.reasons`."""

    query: Query
    reason: Word


class Release(msgspec.Struct, frozen=True, array_like=True, tag=8, forbid_unknown_fields=True):
    """Node to directory: tell me no more of this."""

    query: Query


Message = Find | Found | Unfound | Register | Registered | Ask | Answer | Refused | Release

_messages: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """Return the one form of a message."""
    return msgspec.msgpack.encode(message)


def decode(message: bytes) -> Message:
    """Return what arrived.

    Raises:
        PeerError: too long, no message of this service, or not in its one form; `word` says which.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise PeerError(
            f"directory message of {len(message)} B, allowed are {MAX_MESSAGE_BYTES} B",
            word="long_message",
        )
    try:
        decoded = _messages.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PeerError(f"not a directory message: {error}", word="bad_message") from error
    if msgspec.msgpack.encode(decoded) != message:
        raise PeerError("a directory message that is not in canonical form", word="bad_message")
    return decoded
