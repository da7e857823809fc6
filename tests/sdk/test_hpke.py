"""Our HPKE beside pyhpke, which has all of it."""

import pytest
from pyhpke import AEADId, CipherSuite, KDFId, KEMId

from ei.sdk.hpke import SECRET_BYTES, derive_key, open_from, seal_to

THEIRS = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES128_GCM)
PRIVATE, PUBLIC = derive_key(b"k" * 32)
SEED = b"e" * 32


def test_keys_are_derived_as_theirs() -> None:
    for seed in (bytes(32), b"s" * 32):
        pair = THEIRS.kem.derive_key_pair(seed)

        assert derive_key(seed) == (
            pair.private_key.to_private_bytes(),
            pair.public_key.to_public_bytes(),
        )


@pytest.mark.parametrize("info", [b"", b"odoh query"])
def test_they_open_what_we_seal(info: bytes) -> None:
    enc, sealed, secret = seal_to(
        PUBLIC, b"hello", info=info, additional=b"beside", purpose=b"other", seed=SEED
    )

    theirs = THEIRS.create_recipient_context(
        enc, THEIRS.kem.deserialize_private_key(PRIVATE), info=info
    )

    assert theirs.open(sealed, b"beside") == b"hello"
    assert theirs.export(b"other", SECRET_BYTES) == secret


@pytest.mark.parametrize("info", [b"", b"odoh query"])
def test_we_open_what_they_seal(info: bytes) -> None:
    enc, theirs = THEIRS.create_sender_context(THEIRS.kem.deserialize_public_key(PUBLIC), info=info)
    sealed = theirs.seal(b"hello", b"beside")

    ours = open_from(
        PRIVATE, PUBLIC, enc, sealed, info=info, additional=b"beside", purpose=b"other"
    )

    assert ours == (b"hello", theirs.export(b"other", SECRET_BYTES))


def test_what_is_for_another_or_something_else_does_not_open() -> None:
    enc, sealed, _ = seal_to(
        PUBLIC, b"hello", info=b"odoh query", additional=b"", purpose=b"", seed=SEED
    )
    other = derive_key(b"o" * 32)
    nobody = bytes(32)

    def opens(
        *,
        keys: tuple[bytes, bytes] = (PRIVATE, PUBLIC),
        enc: bytes = enc,
        sealed: bytes = sealed,
        info: bytes = b"odoh query",
    ) -> bool:
        return open_from(*keys, enc, sealed, info=info, additional=b"", purpose=b"") is not None

    assert opens()
    assert not opens(keys=other)
    assert not opens(enc=PUBLIC)
    assert not opens(enc=nobody)
    assert not opens(sealed=sealed[:-1])
    assert not opens(sealed=b"short")
    assert not opens(info=b"odoh answer")


@pytest.mark.parametrize("key", [b"short", bytes(32)])
def test_nothing_is_sealed_to_what_is_no_key(key: bytes) -> None:
    with pytest.raises(ValueError, match="public_key"):
        _ = seal_to(key, b"hello", info=b"", additional=b"", purpose=b"", seed=SEED)
