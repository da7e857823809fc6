"""The signed envelope of every record: the form of `ei.records.signed`, tag `ei record 1`."""

import msgspec

from ei.records.keys import Keys
from ei.records.kinds import AnyRecord
from ei.records.signed import Form

TAG = b"ei record 1\0"
MAX_ENVELOPE_BYTES = 4_096
RECORDS: Form[AnyRecord] = Form(
    "record", msgspec.msgpack.Decoder(AnyRecord), TAG, MAX_ENVELOPE_BYTES
)


def seal_record(record: AnyRecord, keys: Keys) -> bytes:
    """Return the envelope of `record`, signed by `keys`."""
    return RECORDS.seal(record, keys)


def open_record(envelope: bytes) -> tuple[AnyRecord, bytes]:
    """Return (record, key of its signer). Whether that key may say so is the caller's question.

    Args:
        envelope: As received, at most 4_096 bytes.

    Raises:
        IntegrityError: too large, not an envelope, not canonical, or the signature does not verify.
    """
    return RECORDS.open(envelope)
