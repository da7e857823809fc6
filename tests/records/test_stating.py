from msgspec.structs import replace

from ei.records.keys import make_keys
from ei.records.stating import state

KEYS, OTHERS = make_keys(bytes(32)), make_keys(b"o" * 32)


def test_a_statement_is_true_as_it_was_signed_and_not_otherwise() -> None:
    statement = state(KEYS, 7, 66, b"keys")

    assert statement.is_true()
    assert statement.node == KEYS.address(7)
    assert not replace(statement, body=b"kezs").is_true()
    assert not replace(statement, service=68).is_true()
    assert not replace(statement, node=KEYS.address(8)).is_true()
    assert not replace(statement, identity_key=OTHERS.identity_key).is_true()
    assert not replace(statement, node=OTHERS.address(7)).is_true()
