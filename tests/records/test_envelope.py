"""An envelope opens exactly when its signer signed exactly these bytes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import IntegrityError
from ei.records.envelope import TAG, open_record, seal_record
from ei.records.keys import make_keys
from ei.records.kinds import DomainRecord

KEYS = make_keys(b"a" * 32)
RECORD = DomainRecord("isp-a", 1, 2_000_000_000)
ENVELOPE = seal_record(RECORD, KEYS)


def test_what_was_sealed_comes_back_with_the_key_of_its_signer() -> None:
    assert open_record(ENVELOPE) == (RECORD, KEYS.identity_key)


@given(st.integers(0, len(ENVELOPE) - 1), st.integers(1, 255))
def test_no_changed_byte_passes(position: int, flip: int) -> None:
    changed = bytearray(ENVELOPE)
    changed[position] ^= flip

    with pytest.raises(IntegrityError):
        open_record(bytes(changed))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_reason(received: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"\w"):
        open_record(received)


@given(st.integers(0, len(ENVELOPE) - 1))
def test_an_envelope_that_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(IntegrityError):
        open_record(ENVELOPE[:length])


def test_a17_a_signed_body_in_another_form_is_refused() -> None:
    # The number 1 as an unsigned 16-bit integer: the same value, other bytes.
    body = bytes.fromhex("9601a56973702d61cd0001ce773594009090")
    envelope = msgspec.msgpack.encode([1, KEYS.identity_key, body, KEYS.sign(TAG + body)])

    with pytest.raises(IntegrityError, match="not in canonical form"):
        open_record(envelope)


def test_a17_the_other_root_of_a_signature_is_refused() -> None:
    # S + L verifies the same equation; RFC 8032 5.1.7 refuses it, else one record had two forms.
    order = 2**252 + 27742317777372353535851937790883648493
    signature = KEYS.sign(TAG + msgspec.msgpack.encode(RECORD))
    second = int.from_bytes(signature[32:], "little") + order
    malleated = signature[:32] + second.to_bytes(32, "little")

    with pytest.raises(IntegrityError, match="does not verify"):
        open_record(ENVELOPE[: -len(signature)] + malleated)


def test_a_signature_for_something_else_is_no_record() -> None:
    body = msgspec.msgpack.encode(RECORD)
    envelope = msgspec.msgpack.encode([1, KEYS.identity_key, body, KEYS.sign(body)])

    with pytest.raises(IntegrityError, match="does not verify"):
        open_record(envelope)


def test_a_huge_envelope_is_refused_before_it_is_read() -> None:
    with pytest.raises(IntegrityError, match="5000 B exceeds the allowed 4096 B"):
        open_record(bytes(5_000))
