"""A statement is about one packet, answers one question, and has one form."""

import msgspec
import pytest

from ei.attachment.statements import (
    MAX_PARTS,
    MAX_STATEMENT_BYTES,
    STATEMENTS,
    TAG,
    Part,
    Statement,
)
from ei.errors import IntegrityError
from ei.records.envelope import RECORDS
from ei.records.keys import make_keys
from ei.records.kinds import DomainRecord

KEYS = make_keys(b"a" * 32)
NODE = KEYS.address(1)
STATEMENT = Statement(
    NODE, 7, NODE, 16, 9, "forwarded", to=NODE, how="cached", spent_us=5,
    parts=(Part("delivery@0.1.0", "source"),),
)  # fmt: skip
GOLDEN = (
    "9bc410{0}07c410{0}1009a9666f72776172646564a0c410{0}a663616368656405"
    "9192ae64656c697665727940302e312e30a6736f75726365"
)


def test_the_layout_is_pinned() -> None:
    body = bytes.fromhex(GOLDEN.format(NODE.hex()))

    envelope = msgspec.msgpack.encode([1, KEYS.identity_key, body, KEYS.sign(TAG + body)])

    assert STATEMENTS.seal(STATEMENT, KEYS) == envelope
    assert STATEMENTS.open(envelope) == (STATEMENT, KEYS.identity_key)


def test_a_record_is_no_statement() -> None:
    record = RECORDS.seal(DomainRecord("isp-a", 1, 2_000_000_000), KEYS)

    with pytest.raises(IntegrityError, match="not a statement"):
        _ = STATEMENTS.open(record)


def test_nothing_in_a_statement_moves_the_cursor_of_a_terminal() -> None:
    odd = msgspec.structs.replace(STATEMENT, reason="\x1b[2J")

    with pytest.raises(IntegrityError, match="not a statement: "):
        _ = STATEMENTS.open(STATEMENTS.seal(odd, KEYS))


def test_the_longest_chain_has_room() -> None:
    parts = (Part("a" * 80, "operator"),) * MAX_PARTS
    long = msgspec.structs.replace(
        STATEMENT, number=2**64 - 1, connection=2**64 - 1, reason="r" * 80, parts=parts
    )

    assert len(STATEMENTS.seal(long, KEYS)) < MAX_STATEMENT_BYTES
