"""What is signed as one thing is never read as another, and only in one form."""

import msgspec
import pytest

from ei.errors import IntegrityError
from ei.records.keys import make_keys
from ei.records.signed import Form, encode_body

KEYS = make_keys(b"a" * 32)
WORDS = Form("word", msgspec.msgpack.Decoder(str), b"ei word 1\0", 200)
NAMES = Form("name", msgspec.msgpack.Decoder(str), b"ei name 1\0", 200)


def test_what_was_sealed_comes_back_with_the_key_of_its_signer() -> None:
    assert WORDS.open(WORDS.seal("hello", KEYS)) == ("hello", KEYS.identity_key)


def test_what_was_signed_as_one_thing_is_nothing_else() -> None:
    with pytest.raises(IntegrityError, match="does not verify"):
        NAMES.open(WORDS.seal("hello", KEYS))


def test_a_body_of_another_kind_is_refused_by_its_noun() -> None:
    numbers = Form("number", msgspec.msgpack.Decoder(int), b"ei word 1\0", 200)

    with pytest.raises(IntegrityError, match="not a word: "):
        WORDS.open(numbers.seal(7, KEYS))


class Note(msgspec.Struct, frozen=True, array_like=True):
    """Two fields came later than the first."""

    text: str
    first: int | None = None
    second: int | None = None


@pytest.mark.parametrize(
    ("note", "form"),
    [
        (Note("hi"), ["hi"]),
        (Note("hi", 1), ["hi", 1]),
        (Note("hi", None, 2), ["hi", None, 2]),
    ],
)
def test_what_is_none_at_the_end_is_not_written(note: Note, form: list[object]) -> None:
    assert encode_body(note) == msgspec.msgpack.encode(form)


def test_a_body_that_writes_none_at_its_end_is_refused() -> None:
    notes = Form("note", msgspec.msgpack.Decoder(Note), b"ei note 1\0", 200)
    body = msgspec.msgpack.encode(["hi", None])
    envelope = msgspec.msgpack.encode([1, KEYS.identity_key, body, KEYS.sign(notes.tag + body)])

    with pytest.raises(IntegrityError, match="not in canonical form"):
        notes.open(envelope)


def test_a_body_in_a_longer_form_is_refused() -> None:
    body = b"\xd9\x02hi"
    envelope = msgspec.msgpack.encode([1, KEYS.identity_key, body, KEYS.sign(WORDS.tag + body)])

    with pytest.raises(IntegrityError, match="the word is signed but not in canonical form"):
        WORDS.open(envelope)


def test_more_bytes_than_allowed_are_not_read() -> None:
    with pytest.raises(IntegrityError, match="word of 201 B exceeds the allowed 200 B"):
        WORDS.open(bytes(201))
