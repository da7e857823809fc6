"""Blind RSA is that of RFC 9474, and takes nothing that is not whole."""

import json
from pathlib import Path
from random import Random
from typing import NamedTuple

import gmpy2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.services.relay.blind_rsa import (
    EXPONENT,
    BlindRsaError,
    PrivateKey,
    PublicKey,
    blind,
    blind_sign,
    draw_factor,
    finalize,
    make_prime,
    prepare,
    private_key_of,
    verify,
)

ROOT = Path(__file__).parents[4]


class Case(NamedTuple):
    """One of the RFC's, as numbers and bytes."""

    key: PrivateKey
    d: int
    message: bytes
    salt: bytes
    inverse: int
    encoded: int
    blinded: bytes
    answer: bytes
    signature: bytes


def cases() -> list[Case]:
    """Return the vectors of the RFC."""
    document = json.loads((ROOT / "tests" / "vectors" / "blind_rsa_rfc9474.json").read_text())
    return [
        Case(
            key=private_key_of(int(case["p"], 16), int(case["q"], 16)),
            d=int(case["d"], 16),
            message=bytes.fromhex(case["msg"]),
            salt=bytes.fromhex(case["salt"]),
            inverse=int(case["inv"], 16),
            encoded=int(case["encoded_msg"], 16),
            blinded=bytes.fromhex(case["blinded_msg"]),
            answer=bytes.fromhex(case["blind_sig"]),
            signature=bytes.fromhex(case["sig"]),
        )
        for case in document
    ]


CASES = cases()
SALTED = CASES[0]
KEY = private_key_of(make_prime(Random(1), 512), make_prime(Random(2), 512))
OTHER = private_key_of(make_prime(Random(3), 512), make_prime(Random(4), 512))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"salt of {len(case.salt)} B")
def test_each_step_is_that_of_the_rfc(case: Case) -> None:
    public = case.key.public
    factor = pow(case.inverse, -1, public.n)

    plain = blind(public, case.message, salt=case.salt, factor=1)
    blinded = blind(public, case.message, salt=case.salt, factor=factor)
    answer = blind_sign(case.key, blinded.blinded, Random(1))
    signature = finalize(public, case.message, answer, blinded.inverse, salt_bytes=len(case.salt))

    assert int.from_bytes(plain.blinded, "big") == case.encoded
    assert blinded == (case.blinded, case.inverse)
    assert answer == case.answer
    assert signature == case.signature
    assert verify(public, case.message, signature, salt_bytes=len(case.salt))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"salt of {len(case.salt)} B")
def test_a_key_is_what_its_primes_say(case: Case) -> None:
    p, q = case.key.p, case.key.q

    assert case.d % (p - 1) == case.key.d_p
    assert case.d % (q - 1) == case.key.d_q
    assert case.key.q_inverse * q % p == 1
    assert case.key.public.n == p * q


@given(message=st.binary(max_size=200), seed=st.integers(0, 2**32))
def test_what_is_blinded_signed_and_unblinded_is_a_signature(message: bytes, seed: int) -> None:
    random = Random(seed)
    prepared, salt = prepare(message, random), random.randbytes(48)
    blinded = blind(KEY.public, prepared, salt=salt, factor=draw_factor(KEY.public, random))

    answer = blind_sign(KEY, blinded.blinded, random)
    signature = finalize(KEY.public, prepared, answer, blinded.inverse)

    assert prepared[32:] == message
    assert verify(KEY.public, prepared, signature)
    assert not verify(KEY.public, prepared + b"\0", signature)
    assert not verify(OTHER.public, prepared, signature)


@given(value=st.integers(0, KEY.public.n - 1) | st.sampled_from([0, 1, KEY.p, KEY.public.n - 1]))
def test_the_signer_computes_the_power_whatever_it_is_given(value: int) -> None:
    d = pow(EXPONENT, -1, (KEY.p - 1) * (KEY.q - 1))

    answer = blind_sign(KEY, value.to_bytes(128, "big"), Random(value))

    assert int.from_bytes(answer, "big") == gmpy2.powmod(value, d, KEY.public.n)


@pytest.mark.parametrize(
    "blinded",
    [b"", bytes(127), bytes(129), KEY.public.n.to_bytes(128, "big"), b"\xff" * 128],
    ids=["nothing", "short", "long", "n", "beyond"],
)
def test_what_is_no_number_below_the_modulus_is_not_signed(blinded: bytes) -> None:
    with pytest.raises(BlindRsaError, match="128 B and a value below the modulus allowed"):
        _ = blind_sign(KEY, blinded, Random(1))


def test_a_key_that_computes_wrongly_gives_no_answer() -> None:
    # What is wrong modulo one prime alone would have the other as a common divisor with n.
    broken = KEY._replace(d_p=KEY.d_p ^ 2)

    with pytest.raises(ArithmeticError, match="does not verify"):
        _ = blind_sign(broken, (2**1000).to_bytes(128, "big"), Random(1))


def answered(random: Random) -> tuple[bytes, bytes, int]:
    """Return a message, the answer to it and what unblinds that."""
    message = prepare(b"", random)
    blinded = blind(
        KEY.public, message, salt=random.randbytes(48), factor=draw_factor(KEY.public, random)
    )
    return message, blind_sign(KEY, blinded.blinded, random), blinded.inverse


@given(place=st.integers(0, 1023))
def test_an_answer_with_one_bit_turned_is_refused(place: int) -> None:
    message, answer, inverse = answered(Random(1))
    turned = (int.from_bytes(answer, "big") ^ 1 << place).to_bytes(128, "big")

    with pytest.raises(BlindRsaError):
        _ = finalize(KEY.public, message, turned, inverse)


@given(answer=st.binary(max_size=130))
def test_any_bytes_are_no_answer(answer: bytes) -> None:
    message, _, inverse = answered(Random(1))

    with pytest.raises(BlindRsaError):
        _ = finalize(KEY.public, message, answer, inverse)


def test_the_answer_to_another_is_refused() -> None:
    message, _, inverse = answered(Random(1))
    _, answer, _ = answered(Random(2))

    with pytest.raises(BlindRsaError, match="does not sign what was blinded by this key"):
        _ = finalize(KEY.public, message, answer, inverse)


@given(signature=st.binary(max_size=130))
def test_any_bytes_are_no_signature(signature: bytes) -> None:
    assert not verify(KEY.public, b"message", signature)


def test_a_signature_plus_the_modulus_is_none() -> None:
    message, answer, inverse = answered(Random(1))
    signature = finalize(KEY.public, message, answer, inverse)
    above = int.from_bytes(signature, "big") + KEY.public.n

    assert not verify(KEY.public, message, above.to_bytes(129, "big"))
    if above < 2**1024:
        assert not verify(KEY.public, message, above.to_bytes(128, "big"))


def test_what_shares_a_factor_with_the_modulus_is_not_blinded() -> None:
    # All primes below 700: only one number in twelve shares none with it.
    primes = [number for number in range(3, 700) if all(number % k for k in range(2, number))]
    modulus = 1
    for prime in primes:
        modulus *= prime
    modulus *= KEY.p >> modulus.bit_length() - 400 | 1
    poor = PublicKey(modulus)

    random = Random(1)
    factor = draw_factor(poor, random)

    with pytest.raises(BlindRsaError, match="has a small factor"):
        _ = blind(poor, prepare(b"", random), salt=random.randbytes(48), factor=factor)


def test_equal_randomness_gives_equal_primes_of_exactly_the_length() -> None:
    primes = [make_prime(Random(seed), 256) for seed in range(20)]

    assert primes == [make_prime(Random(seed), 256) for seed in range(20)]
    assert len(set(primes)) == 20
    assert {(p * q).bit_length() for p in primes for q in primes} == {512}
    assert all((p - 1) % EXPONENT for p in primes)
    assert all(pow(3, p - 1, p) == 1 for p in primes)


def test_a_factor_has_an_inverse() -> None:
    small = PublicKey(15)

    assert {draw_factor(small, Random(seed)) for seed in range(100)} == {1, 2, 4, 7, 8, 11, 13, 14}
