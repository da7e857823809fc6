"""One form for all that one key signs: records, requests, what nodes say about packets.

    [1, signer: Ed25519 key 32 B, body: canonical msgpack, signature 64 B]

The signature is over the tag of the form and the body exactly as received; nothing is encoded again
to verify it. A body that is not in canonical form, the one form that is written here, is refused:
what means the same has the same bytes. The tag keeps what is signed as one thing from being read as
another.

A field that came later is the last, and where it is `None` it is not written: who does not know it
reads the rest.
"""

from dataclasses import dataclass
from itertools import takewhile
from typing import Generic, Literal, TypeVar

import msgspec

from ei.errors import IntegrityError
from ei.records.keys import Keys
from ei.sdk.signatures import is_signed

BodyT = TypeVar("BodyT")


class Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Signed bytes, of whatever form."""

    version: Literal[1]
    signer: bytes
    body: bytes
    signature: bytes


_envelopes = msgspec.msgpack.Decoder(Envelope)


@dataclass(frozen=True, slots=True)
class Form(Generic[BodyT]):
    """What can be signed as one kind of thing.

    Attributes:
        noun: In errors, such as `record`.
        decoder: Of the body, strict.
        tag: Before the body under the signature; no other form has it.
        limit_bytes: Of an envelope.
    """

    noun: str
    decoder: msgspec.msgpack.Decoder[BodyT]
    tag: bytes
    limit_bytes: int

    def seal(self, body: BodyT, keys: Keys) -> bytes:
        """Return the envelope of `body`, signed by `keys`."""
        encoded = encode_body(body)
        signature = keys.sign(self.tag + encoded)
        return msgspec.msgpack.encode(Envelope(1, keys.identity_key, encoded, signature))

    def open(self, envelope: bytes) -> tuple[BodyT, bytes]:
        """Return (body, key of its signer). Whether that key may say so is the caller's question.

        Raises:
            IntegrityError: too large, not of this form, not canonical, or the signature does not
                verify.
        """
        if len(envelope) > self.limit_bytes:
            raise IntegrityError(
                f"{self.noun} of {len(envelope)} B exceeds the allowed {self.limit_bytes} B",
                word="over_long",
            )
        try:
            opened = _envelopes.decode(envelope)
            body = self.decoder.decode(opened.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise IntegrityError(f"not a {self.noun}: {error}", word="malformed") from error
        if not is_signed(self.tag + opened.body, opened.signature, opened.signer):
            raise IntegrityError(
                f"the signature by {opened.signer.hex()[:16]} does not verify",
                word="bad_signature",
            )
        if encode_body(body) != opened.body:
            raise IntegrityError(
                f"the {self.noun} is signed but not in canonical form", word="not_canonical"
            )
        return body, opened.signer


def encode_body(body: object) -> bytes:
    """Return the one form of a body; an array has at most 15 items."""
    encoded = msgspec.msgpack.encode(body)
    values = msgspec.structs.astuple(body) if isinstance(body, msgspec.Struct) else ()
    absent = len(list(takewhile(lambda value: value is None, reversed(values))))
    if not absent:
        return encoded
    # The first byte has the number of items, and each `None` is a byte.
    return bytes((encoded[0] - absent,)) + encoded[1 : len(encoded) - absent]
