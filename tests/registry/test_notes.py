from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry.world import keys_of

from ei.errors import ConfigError, IntegrityError
from ei.registry.notes import (
    COSIGNATURE,
    ED25519,
    Checkpoint,
    Note,
    NoteKey,
    cosign,
    parse_checkpoint,
    parse_key,
    parse_note,
    parse_signature,
    sign,
)

KNOWN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
KNOWN_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6Ry\
yBwJnAM=
"""
"""Those that golang.org/x/mod/sumdb/note is documented with."""

CHECKPOINT = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGz\
Gku9nTo+zyWE+xeMcTOAYQ8=
"""
"""The example of c2sp.org/tlog-checkpoint."""

ZEROES = "A" * 43 + "="
TEXT = str(Checkpoint("log", 7, bytes(32)))


def test_a_note_of_others_verifies() -> None:
    note, key = parse_note(KNOWN_NOTE.encode()), parse_key(KNOWN_KEY)

    assert note.is_signed_by(key)
    assert bytes(note) == KNOWN_NOTE.encode()
    assert str(key) == KNOWN_KEY
    assert not parse_note(KNOWN_NOTE.replace("answer", "Answer").encode()).is_signed_by(key)


def test_a_checkpoint_is_read() -> None:
    checkpoint = parse_checkpoint(parse_note(CHECKPOINT.encode()))

    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert str(checkpoint) == CHECKPOINT.partition("\n\n")[0] + "\n"


def test_a_cosignature_has_golden_bytes_and_says_when() -> None:
    keys = keys_of("witness")
    key = NoteKey("w", COSIGNATURE, keys.identity_key)
    line = cosign(TEXT, keys, "w", unix_s=1_679_315_147)

    assert line.signature[:8] == (1_679_315_147).to_bytes(8, "big")
    assert Note(TEXT, (line,)).is_signed_by(key)
    late = line.signature[:7] + b"\0" + line.signature[8:]
    assert not Note(TEXT, (type(line)(line.name, line.id, late),)).is_signed_by(key)


def test_a_log_is_no_witness_with_the_same_key() -> None:
    keys = keys_of("both")
    log, witness = (NoteKey("x", kind, keys.identity_key) for kind in (ED25519, COSIGNATURE))

    assert not Note(TEXT, (sign(TEXT, keys, "x"),)).is_signed_by(witness)
    assert not Note(TEXT, (cosign(TEXT, keys, "x", unix_s=1),)).is_signed_by(log)


def test_one_key_with_two_names_counts_once() -> None:
    keys = keys_of("witness")
    note = Note(TEXT, tuple(cosign(TEXT, keys, name, unix_s=1) for name in "vw"))

    assert note.count(NoteKey(name, COSIGNATURE, keys.identity_key) for name in "vw") == 1


def test_of_a_key_the_newest_signature_stays() -> None:
    keys = keys_of("witness")
    note = Note(TEXT, (cosign(TEXT, keys, "w", unix_s=1),))

    later = note.with_signatures([cosign(TEXT, keys, "w", unix_s=2)])

    assert [each.signature[7] for each in later.signatures] == [2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\nno signature\n",
        b"\xff\n\n",
        b"a\x01\n\n\xe2\x80\x94 x AAAAAAAA\n",
        "text\n\n— x AAAA\n".encode(),
        "text\n\n— x ???\n".encode(),
        "text\n\n— x+y AAAAAAAA\n".encode(),
        "text\n\n— x AAAAAAAA".encode(),
        b"x" * 20_000,
        b"text\n\n" + "— x AAAAAAAA\n".encode() * 65,
    ],
    ids=range(12),
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        _ = parse_note(data)
    assert caught.value.word == "malformed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "log\n",
        "log\n1\n",
        "log\n1\nAAAA\n",
        f"log\n01\n{ZEROES}\n",
        f"log\n-1\n{ZEROES}\n",
        f"\n1\n{ZEROES}\n",
        f"log\n{'9' * 5_000}\n{ZEROES}\n",
        f"log\n²\n{ZEROES}\n",
    ],
    ids=range(10),
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(IntegrityError):
        _ = parse_checkpoint(Note(text, ()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a key"),
        ("a+b", "is not a key"),
        ("a+00000000+AAAA", "is not an Ed25519 key"),
        (KNOWN_KEY.replace("c7", "c8"), "its hash is c84f20a3, not c74f20a3"),
        (KNOWN_KEY.replace("0TW", "1TW"), "is damaged"),
    ],
)
def test_what_is_no_key_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _ = parse_key(text)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for each in (data, b"text\n\n\xe2\x80\x94 x " + data + b"\n"):
        with suppress(IntegrityError):
            _ = parse_checkpoint(parse_note(each))


def test_a_line_is_written_as_it_was_read() -> None:
    line = KNOWN_NOTE.splitlines()[-1]

    assert str(parse_signature(line)) == line + "\n"
