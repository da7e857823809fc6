"""Keys follow from their randomness and sign."""

import json
from pathlib import Path

import pytest

from ei.errors import LocalError
from ei.records.keys import Keys, make_keys
from ei.sdk.signatures import is_signed


def test_equal_randomness_gives_equal_keys_and_other_randomness_others() -> None:
    assert make_keys(b"a" * 32) == make_keys(b"a" * 32)
    assert make_keys(b"a" * 32).identity_key != make_keys(b"b" * 32).identity_key


def test_the_private_keys_of_one_identity_are_unrelated() -> None:
    keys = make_keys(b"a" * 32)

    assert keys.identity_secret != keys.pipe_secret


def test_too_little_randomness_is_refused() -> None:
    with pytest.raises(LocalError, match="need 32 B of randomness, not 31"):
        make_keys(b"a" * 31)


def test_a_private_key_of_wrong_length_is_refused() -> None:
    with pytest.raises(LocalError, match="has 32 bytes, not 2"):
        Keys(b"aa", b"b" * 32)


def test_a_repr_shows_no_secret() -> None:
    keys = make_keys(b"a" * 32)

    assert repr(keys.identity_secret) not in repr(keys)
    assert repr(keys.pipe_secret) not in repr(keys)


def test_a_signature_holds_for_its_message_and_key_alone() -> None:
    keys, others = make_keys(b"a" * 32), make_keys(b"b" * 32)

    signature = keys.sign(b"message")

    assert is_signed(b"message", signature, keys.identity_key)
    assert not is_signed(b"massage", signature, keys.identity_key)
    assert not is_signed(b"message", signature, others.identity_key)
    assert not is_signed(b"message", signature[:-1], keys.identity_key)
    assert not is_signed(b"message", signature, b"short")


def test_public_keys_are_those_of_rfc_8032_and_rfc_7748() -> None:
    # RFC 8032 7.1 test 1; RFC 7748 6.1, Alice.
    keys = Keys(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
        bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f92ebc099dfbe2ad3dbdb6c2e5f"),
    )

    assert keys.identity_key.hex().startswith("d75a980182b10ab7d54bfed3c964073a")


def test_signatures_are_judged_as_wycheproof_does() -> None:
    path = Path(__file__).parents[1] / "vectors" / "wycheproof_ed25519_test.json"
    document = json.loads(path.read_text())
    judged = [
        (case["tcId"], case["result"] == "valid", is_signed(message, signature, key))
        for group in document["testGroups"]
        for key in [bytes.fromhex(group["publicKey"]["pk"])]
        for case in group["tests"]
        for message, signature in [(bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))]
    ]

    assert len(judged) == document["numberOfTests"]
    assert [number for number, expected, found in judged if found != expected] == []
