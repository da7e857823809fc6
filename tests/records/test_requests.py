"""A request proves that its sender holds the key in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import IntegrityError
from ei.records.keys import make_keys
from ei.records.requests import REQUESTS, open_request, seal_request

KEYS, MALLORY = make_keys(b"a" * 32), make_keys(b"m" * 32)
CONTENT = seal_request(KEYS, name="alice.isp-a", expires_unix_s=2_000)


def test_what_was_asked_comes_back() -> None:
    request = open_request(CONTENT, unix_s=1_000)

    assert (request.name, request.endpoints, request.services) == ("alice.isp-a", (), ())
    assert (request.identity_key, request.pipe_key) == (KEYS.identity_key, KEYS.pipe_key)


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_no_changed_byte_passes(position: int, flip: int) -> None:
    changed = bytearray(CONTENT)
    changed[position] ^= flip

    with pytest.raises(IntegrityError):
        open_request(bytes(changed), unix_s=1_000)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_reason(received: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"\w"):
        open_request(received, unix_s=1_000)


def test_nobody_asks_for_the_key_of_another() -> None:
    request, _ = REQUESTS.open(CONTENT)
    forged = REQUESTS.seal(request, MALLORY)

    with pytest.raises(IntegrityError, match="not signed by the key in it"):
        open_request(forged, unix_s=1_000)


def test_a_request_ends() -> None:
    with pytest.raises(IntegrityError, match=r"alice\.isp-a expired 1 s ago"):
        open_request(CONTENT, unix_s=2_001)


def test_a_huge_request_is_refused_before_it_is_read() -> None:
    with pytest.raises(IntegrityError, match="5000 B exceeds the allowed 4096 B"):
        open_request(bytes(5_000), unix_s=1_000)
