"""What the native module knows by itself."""

import time  # noqa: TID251 the same clock is what is tested

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from ei._core import (
    encapsulate,
    encapsulation_key,
    monotonic_ns,
    public_key,
    reasons,
    shared_secret,
)


def test_every_reason_is_a_word_with_one_sentence() -> None:
    words = [word for word, _ in reasons()]

    assert len(words) == len(set(words))
    assert "slow_path_busy" in words
    assert all(text.endswith(".") and text == text.strip() for _, text in reasons())


def test_the_public_key_is_that_of_rfc_7748() -> None:
    alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"

    assert public_key(bytes.fromhex(alice)).hex() == (
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    )


def test_the_shared_secret_is_that_of_rfc_7748() -> None:
    alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    bob = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")

    assert shared_secret(alice, public_key(bob)).hex() == (
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    )


def test_an_encapsulation_opens_with_the_key_of_another_library() -> None:
    seed = bytes(range(64))
    theirs = MLKEM768PrivateKey.from_seed_bytes(seed)
    key = encapsulation_key(seed)

    ciphertext, secret = encapsulate(key, bytes(32))

    assert key == theirs.public_key().public_bytes_raw()
    assert theirs.decapsulate(ciphertext) == secret
    with pytest.raises(ValueError, match="no encapsulation key"):
        _ = encapsulate(b"\xff" * 1_184, bytes(32))


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="private_key of 31 bytes is not of 32 bytes"):
        public_key(bytes(31))


def test_the_clock_is_that_of_the_time_module() -> None:
    before, now, after = time.monotonic_ns(), monotonic_ns(), time.monotonic_ns()

    assert before <= now <= after
