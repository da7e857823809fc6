"""Our few lines of HPKE beside pyhpke, which has all of it."""

import pytest
from cryptography.exceptions import InvalidTag
from pyhpke import AEADId, CipherSuite, KDFId, KEMId

from ei.services.odns.hpke import derive_key, forget, open_from, seal_to

THEIRS = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES128_GCM)
PRIVATE, PUBLIC = derive_key(b"k" * 32)


def test_keys_are_derived_as_theirs() -> None:
    for seed in (bytes(32), b"s" * 32):
        pair = THEIRS.kem.derive_key_pair(seed)

        assert derive_key(seed) == (
            pair.private_key.to_private_bytes(),
            pair.public_key.to_public_bytes(),
        )


@pytest.mark.parametrize("info", [b"", b"odoh query"])
def test_they_open_what_we_seal(info: bytes) -> None:
    enc, ours = seal_to(PUBLIC, info, seed=b"e" * 32)

    theirs = THEIRS.create_recipient_context(
        enc, THEIRS.kem.deserialize_private_key(PRIVATE), info=info
    )

    assert theirs.open(ours.seal(b"hello", b"beside"), b"beside") == b"hello"
    assert theirs.export(b"other", 16) == ours.export(b"other", 16)


@pytest.mark.parametrize("info", [b"", b"odoh query"])
def test_we_open_what_they_seal(info: bytes) -> None:
    enc, theirs = THEIRS.create_sender_context(THEIRS.kem.deserialize_public_key(PUBLIC), info=info)

    ours = open_from(enc, PRIVATE, info)

    assert ours.open(theirs.seal(b"hello", b"beside"), b"beside") == b"hello"
    assert ours.export(b"other", 32) == theirs.export(b"other", 32)


def test_what_is_for_another_or_something_else_does_not_open() -> None:
    enc, context = seal_to(PUBLIC, b"odoh query", seed=b"e" * 32)
    sealed = context.seal(b"hello", b"")
    other, _ = derive_key(b"o" * 32)

    for opens in (
        open_from(enc, PRIVATE, b"odoh answer"),
        open_from(enc, other, b"odoh query"),
        open_from(PUBLIC, PRIVATE, b"odoh query"),
    ):
        with pytest.raises(InvalidTag):
            _ = opens.open(sealed, b"")
    with pytest.raises(InvalidTag):
        _ = open_from(bytes(32), PRIVATE, b"odoh query")
    with pytest.raises(ValueError, match="32"):
        _ = seal_to(b"short", b"", seed=b"e" * 32)


def test_forgotten_keys_are_loaded_again() -> None:
    enc, context = seal_to(PUBLIC, b"", seed=b"e" * 32)
    forget()

    assert open_from(enc, PRIVATE, b"").key == context.key
