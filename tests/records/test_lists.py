"""A list is what its signers signed, byte for byte, and each of them counts once."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import IntegrityError, LimitError
from ei.records.keys import make_keys
from ei.records.lists import (
    MAX_LIST_BYTES,
    MAX_SIGNATURES,
    TAG,
    DomainList,
    ListedDomain,
    is_list,
    open_list,
    seal_list,
    sign_list,
)

ANNE, BERT = make_keys(b"1" * 32), make_keys(b"2" * 32)
DOMAIN = make_keys(b"d" * 32)
BODY = DomainList(
    1, 9, (ANNE.identity_key,), 1, (ListedDomain("isp-a", 1, DOMAIN.identity_key, 9),)
)
ENVELOPE = seal_list(BODY, [ANNE, BERT])


def test_a_list_comes_back_with_all_who_signed_it() -> None:
    opened = open_list(ENVELOPE)

    assert is_list(ENVELOPE)
    assert opened.body == BODY
    assert opened.signers == {ANNE.identity_key, BERT.identity_key}


def test_signing_one_after_the_other_is_signing_together() -> None:
    assert sign_list(sign_list(seal_list(BODY, []), ANNE), BERT) == ENVELOPE
    assert sign_list(ENVELOPE, ANNE) == ENVELOPE


@given(st.integers(0, len(ENVELOPE) - 1), st.integers(1, 255))
def test_no_changed_byte_keeps_both_signatures(position: int, flip: int) -> None:
    changed = bytearray(ENVELOPE)
    changed[position] ^= flip

    try:
        opened = open_list(bytes(changed))
    except IntegrityError:
        return
    assert len(opened.signers) < 2


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_reason(received: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"\w"):
        open_list(received)


def test_one_key_twice_is_refused_even_with_two_signatures() -> None:
    body = msgspec.msgpack.encode(BODY)
    signature = [ANNE.identity_key, ANNE.sign(TAG + body)]

    with pytest.raises(IntegrityError, match="signs the list twice"):
        open_list(msgspec.msgpack.encode([2, body, [signature, signature]]))


def test_a_body_in_another_form_is_refused() -> None:
    body = b"\x96\x06\xcd\x00\x01" + msgspec.msgpack.encode(BODY)[3:]
    envelope = msgspec.msgpack.encode([2, body, [[ANNE.identity_key, ANNE.sign(TAG + body)]]])

    with pytest.raises(IntegrityError, match="not in canonical form"):
        open_list(envelope)


def test_what_is_over_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(IntegrityError, match="exceeds the allowed 1048576 B"):
        open_list(b"\x93\x02" + bytes(MAX_LIST_BYTES))


def test_signatures_are_bounded() -> None:
    crowd = [make_keys(bytes([number]) * 32) for number in range(MAX_SIGNATURES + 1)]
    body = msgspec.msgpack.encode(BODY)
    signatures = [[keys.identity_key, bytes(64)] for keys in crowd]

    with pytest.raises(LimitError, match="33 signatures of a list, allowed are 32"):
        seal_list(BODY, crowd)
    with pytest.raises(IntegrityError, match="33 signatures of a list, allowed are 32"):
        open_list(msgspec.msgpack.encode([2, body, signatures]))


def test_a_list_without_operators_has_the_bytes_that_versions_before_them_read() -> None:
    opened = msgspec.msgpack.decode(ENVELOPE)
    domain = ["isp-a", 1, DOMAIN.identity_key, 9]

    assert msgspec.msgpack.decode(opened[1]) == [6, 1, 9, [ANNE.identity_key], 1, [domain]]


def test_who_runs_a_domain_comes_back_and_has_one_form() -> None:
    listed = ListedDomain("isp-a", 1, DOMAIN.identity_key, 9, "example-net")
    body = DomainList(1, 9, (ANNE.identity_key,), 1, (listed,))

    assert open_list(seal_list(body, [ANNE])).body == body
    long_form = msgspec.msgpack.encode([6, 1, 9, [b"k"], 1, [["isp-a", 1, b"k", 9, ""]]])
    with pytest.raises(IntegrityError, match="canonical"):
        open_list(msgspec.msgpack.encode([2, long_form, []]))
