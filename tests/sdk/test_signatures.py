from ei.records.keys import make_keys
from ei.sdk.packets import Address
from ei.sdk.signatures import is_signed_by

KEYS, OTHERS = make_keys(bytes(32)), make_keys(bytes([1]) * 32)
MESSAGE = b"what was said"


def test_the_key_that_an_address_names_signs_for_it() -> None:
    address = KEYS.address(7)

    assert is_signed_by(MESSAGE, KEYS.sign(MESSAGE), address, KEYS.identity_key)
    assert not is_signed_by(MESSAGE + b"!", KEYS.sign(MESSAGE), address, KEYS.identity_key)


def test_another_key_or_another_domain_does_not() -> None:
    signature = OTHERS.sign(MESSAGE)

    assert not is_signed_by(MESSAGE, signature, KEYS.address(7), OTHERS.identity_key)
    assert not is_signed_by(MESSAGE, signature, KEYS.address(7), KEYS.identity_key)
    assert not is_signed_by(MESSAGE, signature, Address(b"short"), OTHERS.identity_key)
    assert not is_signed_by(MESSAGE, b"no", OTHERS.address(7), b"no key")
