"""A canary is found in whatever form it was written, and where it was."""

import base64
import ipaddress
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import LocalError
from ei.lab.canaries import (
    PIECE_BYTES,
    Canary,
    Search,
    address_canary,
    bytes_canary,
    endpoint_canary,
    find_canaries,
    host_canaries,
    text_canary,
)
from ei.records.keys import make_keys

NAME = "q7hx2v9kd4.example"
KEYS = make_keys(b"q" * 32)
ADDRESS = KEYS.address(7)
NOISE = secrets.token_bytes(1_000)


def found(canary: Canary, content: bytes) -> list[str]:
    return [hit.form for hit in find_canaries([canary], [(0, content)])]


@pytest.mark.parametrize(
    ("written", "form"),
    [
        (NAME.encode(), "utf-8"),
        (b"Q7hX2v9Kd4.EXample", "utf-8"),
        (NAME.encode("utf-16-le"), "utf-16"),
        (b"\x0aQ7hx2V9kd4\x07example\0", "dns"),
        (NAME.encode().hex().encode(), "hex"),
        (NAME.encode().hex().upper().encode(), "hex"),
        (base64.b64encode(NAME.encode()), "base64 at 0"),
        (base64.b64encode(b"1" + NAME.encode() + b"2"), "base64 at 1"),
        (base64.urlsafe_b64encode(b"12" + NAME.encode() + b"3"), "base64 at 2"),
    ],
)
def test_a_text_is_found_in_each_form(written: bytes, form: str) -> None:
    assert form in found(text_canary("target", "name", NAME), NOISE + written + NOISE)
    assert found(text_canary("target", "name", NAME), NOISE) == []


def test_a_key_is_found_from_either_end() -> None:
    key = KEYS.identity_key

    assert found(bytes_canary("client", "key", key), NOISE + key) == ["bytes"]
    assert found(bytes_canary("client", "key", key), key[::-1] + NOISE) == ["reversed"]
    assert "base64url at 0" in found(
        bytes_canary("client", "key", bytes(range(240, 256))),
        base64.urlsafe_b64encode(bytes(range(240, 256))),
    )


def test_an_address_is_found_as_text_and_as_bytes() -> None:
    canary = address_canary("client", "address", ADDRESS)

    assert found(canary, bytes(ADDRESS)) == ["bytes"]
    assert found(canary, str(ipaddress.IPv6Address(ADDRESS)).encode()) == ["text"]


def test_an_ip_address_is_found_as_sockets_have_it_and_is_not_the_beginning_of_another() -> None:
    canary = endpoint_canary("client_place", "place", "198.18.0.1:3535")

    assert found(canary, b"at 198.18.0.1:3535") == ["text"]
    assert found(canary, b"198.18.0.12 1198.18.0.1") == []
    assert found(canary, b"198.18.0.12 198.18.0.1 ") == ["text"]
    assert "sockaddr" in found(canary, b"\x02\x00\x0d\xcf\xc6\x12\x00\x01" + bytes(8))


def test_a_host_is_its_name_address_and_keys() -> None:
    canaries = host_canaries("quince-7hx2v9kd4.isp-a", KEYS, ADDRESS)
    content = b"quince-7hx2v9kd4 " + ADDRESS + KEYS.identity_key + KEYS.pipe_key

    hits = list(find_canaries(canaries, [(0, content)]))

    assert {hit.canary.what for hit in hits} == {canary.what for canary in canaries}
    assert {hit.canary.fact for hit in hits} == {"client"}


def test_what_is_too_short_to_be_nowhere_else_is_refused() -> None:
    with pytest.raises(LocalError, match="canary name: as utf-8 it has 3 B, needed are 6"):
        text_canary("target", "name", "abc")


@given(st.integers(0, 400), st.integers(1, 60))
def test_it_is_found_at_its_place_however_the_content_is_cut(at: int, size: int) -> None:
    canary = bytes_canary("payload", "payload", bytes(range(100, 132)))
    content = bytes(at) + bytes(range(100, 132)) + bytes(50)

    chunks = [(start, content[start : start + size]) for start in range(0, len(content), size)]

    assert [hit.offset for hit in find_canaries([canary], chunks)] == [at]


def test_chunks_that_do_not_touch_are_not_joined() -> None:
    canary = bytes_canary("payload", "payload", bytes(range(100, 132)))
    halves = [(0, bytes(range(100, 116))), (4_096, bytes(range(116, 132)))]

    assert list(find_canaries([canary], halves)) == []


def test_an_ip_address_at_the_end_of_a_piece_waits_for_what_follows() -> None:
    canary = endpoint_canary("client_place", "place", "198.18.0.1:3535")
    before = bytes(PIECE_BYTES - len("198.18.0.1"))

    assert found(canary, before + b"198.18.0.12") == []
    assert found(canary, before + b"198.18.0.1 ") == ["text"]
    assert found(canary, before + b"198.18.0.1") == ["text"]


def test_what_was_looked_through_before_is_known_by_its_bytes_alone() -> None:
    search = Search([bytes_canary("payload", "payload", bytes(range(100, 132)))])
    clean, planted = NOISE * 20, NOISE * 20 + bytes(range(100, 132))

    for _ in range(2):
        assert list(search.find([(0, clean)])) == []
        assert [hit.offset for hit in search.find([(0, planted)])] == [len(clean)]
        assert [hit.offset for hit in search.find([(7, planted)])] == [len(clean) + 7]
