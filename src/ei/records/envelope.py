"""The signed envelope of every record.

    [1, signer: Ed25519 key 32 B, body: canonical msgpack of a record, signature 64 B]

The signature is over `TAG` and the body exactly as received; nothing is encoded again to verify it.
A body that is not in canonical form, the one form that this module writes, is refused: what means
the same has the same bytes.
"""

from typing import Literal

import msgspec

from ei.errors import IntegrityError
from ei.records.keys import Keys, is_signed
from ei.records.kinds import AnyRecord

TAG = b"ei record 1\0"
MAX_ENVELOPE_BYTES = 4_096


class _Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: Literal[1]
    signer: bytes
    body: bytes
    signature: bytes


_envelopes = msgspec.msgpack.Decoder(_Envelope)
_bodies = msgspec.msgpack.Decoder(AnyRecord)


def seal_record(record: AnyRecord, keys: Keys) -> bytes:
    """Return the envelope of `record`, signed by `keys`."""
    body = msgspec.msgpack.encode(record)
    return msgspec.msgpack.encode(_Envelope(1, keys.identity_key, body, keys.sign(TAG + body)))


def open_record(envelope: bytes) -> tuple[AnyRecord, bytes]:
    """Return (record, key of its signer). Whether that key may say so is the caller's question.

    Args:
        envelope: As received, at most 4_096 bytes.

    Raises:
        IntegrityError: too large, not an envelope, not canonical, or the signature does not verify.
    """
    if len(envelope) > MAX_ENVELOPE_BYTES:
        raise IntegrityError(
            f"envelope of {len(envelope)} B exceeds the allowed {MAX_ENVELOPE_BYTES} B"
        )
    try:
        opened = _envelopes.decode(envelope)
        record = _bodies.decode(opened.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(f"not a record: {error}") from error
    if not is_signed(TAG + opened.body, opened.signature, opened.signer):
        raise IntegrityError(f"the signature by {opened.signer.hex()[:16]} does not verify")
    if msgspec.msgpack.encode(record) != opened.body:
        raise IntegrityError("the record is signed but not in canonical form")
    return record, opened.signer
