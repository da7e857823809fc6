"""Tokens are those of RFC 9578; each bad one is refused by a word of its own."""

import json
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from ei.services.relay.tokens import (
    KEY_BYTES,
    REQUEST_BYTES,
    TOKEN_BYTES,
    Challenge,
    TokenError,
    ask,
    blinded_by,
    check_token,
    finish,
    key_id,
    key_of,
    make_secret,
    read_token,
    sign,
)

VECTORS = Path(__file__).parents[4] / "tests" / "vectors" / "privacypass_rfc9578_type2.json"
DOCUMENT = json.loads(VECTORS.read_text())
HERE = Challenge("issuer.example", bytes(32), "node.example")
ELSEWHERE = Challenge("issuer.example", bytes(32), "other.example")
SECRET, OTHER = make_secret(Random(1)), make_secret(Random(2))
KEY = key_of(SECRET)


def issued() -> bytes:
    """Return a token."""
    random = Random(1)
    asked = ask(KEY, HERE, random)
    return finish(asked, sign(SECRET, asked.request, random))


TOKEN = issued()


def secret_of_the_rfc() -> bytes:
    """Return the primes of the RFC's key, as secrets have them."""
    key = load_pem_private_key(bytes.fromhex(DOCUMENT["skS"]), None)
    assert isinstance(key, RSAPrivateKey)
    numbers = key.private_numbers()
    return numbers.p.to_bytes(128, "big") + numbers.q.to_bytes(128, "big")


@pytest.mark.parametrize(
    ("case", "context"), list(zip(DOCUMENT["cases"], [32, 0], strict=True)), ids=["context", "none"]
)
def test_each_message_is_that_of_the_rfc(case: dict[str, str], context: int) -> None:
    vector = {name: bytes.fromhex(text) for name, text in case.items()}
    secret = secret_of_the_rfc()
    challenge = Challenge(
        "issuer.example", vector["token_challenge"][19 : 19 + context], "origin.example"
    )
    factor = int.from_bytes(vector["blind"], "big")

    asked = blinded_by(
        key_of(secret), challenge, nonce=vector["nonce"], salt=vector["salt"], factor=factor
    )
    answer = sign(secret, asked.request, Random(1))
    token = finish(asked, answer)

    assert key_of(secret) == bytes.fromhex(DOCUMENT["pkS"])
    assert challenge.encoded == vector["token_challenge"]
    assert asked.request == vector["token_request"]
    assert answer == vector["token_response"]
    assert token == vector["token"]
    check_token(read_token(token), key_of(secret), challenge)


def test_a_token_is_good_for_its_challenge_and_key() -> None:
    token = read_token(TOKEN)

    check_token(token, KEY, HERE)
    assert len(TOKEN) == TOKEN_BYTES
    assert token.key_id == key_id(KEY)


@pytest.mark.parametrize(
    "challenge",
    [
        ELSEWHERE,
        Challenge("other.example", bytes(32), "node.example"),
        Challenge("issuer.example", b"\1" * 32, "node.example"),
        Challenge("issuer.example", b"", "node.example"),
    ],
    ids=["node", "issuer", "context", "no context"],
)
def test_a_token_is_good_for_no_other_challenge(challenge: Challenge) -> None:
    with pytest.raises(TokenError, match="not for") as refused:
        check_token(read_token(TOKEN), KEY, challenge)

    assert refused.value.word == "token_elsewhere"


def test_a_token_of_another_key_is_unknown() -> None:
    with pytest.raises(TokenError) as refused:
        check_token(read_token(TOKEN), key_of(OTHER), HERE)

    assert refused.value.word == "unknown_key"


@given(place=st.integers(0, 8 * TOKEN_BYTES - 1))
def test_each_bit_that_is_turned_makes_a_token_bad_by_the_word_of_its_field(place: int) -> None:
    turned = int.from_bytes(TOKEN, "big") ^ 1 << 8 * TOKEN_BYTES - 1 - place
    ends = {2: "bad_type", 34: "bad_signature", 66: "token_elsewhere", 98: "unknown_key"}
    expected = next((word for end, word in ends.items() if place // 8 < end), "bad_signature")

    with pytest.raises(TokenError) as refused:
        check_token(read_token(turned.to_bytes(TOKEN_BYTES, "big")), KEY, HERE)

    assert refused.value.word == expected


@given(token=st.binary(max_size=400).filter(lambda token: len(token) != TOKEN_BYTES))
def test_bytes_of_another_length_are_no_token(token: bytes) -> None:
    with pytest.raises(TokenError, match=f"{len(token)} B, 354 B allowed") as refused:
        _ = read_token(token)

    assert refused.value.word == "bad_token"


@given(signature=st.binary(min_size=256, max_size=256) | st.just(KEY[-261:-5]))
def test_a_signature_that_was_made_up_is_bad_also_beyond_the_modulus(signature: bytes) -> None:
    token = read_token(TOKEN[:98] + signature)

    with pytest.raises(TokenError) as refused:
        check_token(token, KEY, HERE)

    assert refused.value.word == "bad_signature"


@given(request=st.binary(max_size=300))
def test_any_bytes_are_refused_as_a_request(request: bytes) -> None:
    with pytest.raises(TokenError) as refused:
        _ = sign(SECRET, request, Random(1))

    assert refused.value.word == "bad_request"


def test_a_request_for_another_type_or_beyond_the_modulus_is_bad() -> None:
    request = ask(KEY, HERE, Random(1)).request
    name = key_id(KEY)[-1:]

    for bad in (
        b"\0\1" + request[2:],
        b"\0\2" + name + b"\xff" * 256,
        b"\0\2" + name + KEY[-261:-5],
    ):
        assert len(bad) == REQUEST_BYTES
        with pytest.raises(TokenError) as refused:
            _ = sign(SECRET, bad, Random(1))
        assert refused.value.word == "bad_request"


def test_a_request_for_another_key_is_said_to_be_one() -> None:
    with pytest.raises(TokenError, match="for a key whose id ends with") as refused:
        _ = sign(SECRET, ask(key_of(OTHER), HERE, Random(1)).request, Random(1))

    assert refused.value.word == "other_key"


@given(answer=st.binary(max_size=260))
def test_any_bytes_are_refused_as_an_answer(answer: bytes) -> None:
    with pytest.raises(TokenError) as refused:
        _ = finish(ask(KEY, HERE, Random(1)), answer)

    assert refused.value.word == "bad_answer"


def test_an_answer_by_another_key_of_the_issuer_is_found_out() -> None:
    asked = ask(KEY, HERE, Random(1))
    marked = b"\0\2" + key_id(key_of(OTHER))[-1:] + asked.request[3:]

    with pytest.raises(TokenError) as refused:
        _ = finish(asked, sign(OTHER, marked, Random(1)))

    assert refused.value.word == "bad_answer"


@pytest.mark.parametrize(
    "key",
    [
        b"",
        KEY[:-1],
        KEY + b"\0",
        KEY[:-1] + b"\3",
        b"\x31" + KEY[1:],
        KEY[:-261] + b"\x7f" + KEY[-260:],
        KEY[:-6] + b"\0" + KEY[-5:],
    ],
    ids=["none", "short", "long", "exponent", "not DER", "2047 bits", "even"],
)
def test_a_key_of_another_form_is_not_used(key: bytes) -> None:
    with pytest.raises(TokenError, match=f"in {KEY_BYTES} B of DER allowed") as refused:
        _ = ask(key, HERE, Random(1))

    assert refused.value.word == "bad_key"


def test_a_repr_shows_no_inverse() -> None:
    asked = ask(KEY, HERE, Random(1))

    assert repr(asked) == f"<Asked by key {key_id(KEY).hex()[:8]}>"
