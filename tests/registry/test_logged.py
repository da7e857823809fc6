import pytest
from tests.registry.world import LOG, WITNESSES, keys_of

from ei.errors import IntegrityError
from ei.registry.ledger import Ledger
from ei.registry.logged import check_same_log, check_witnessed, has_entry, read_checkpoint
from ei.registry.metadata import LogTrust
from ei.registry.notes import COSIGNATURE, ED25519, Checkpoint, NoteKey, cosign

KEYS = keys_of("log")
TRUST = LogTrust(
    NoteKey(LOG, ED25519, KEYS.identity_key),
    tuple(NoteKey(f"w/{n}", COSIGNATURE, keys.identity_key) for n, keys in enumerate(WITNESSES)),
    2,
)


def grown(count: int, files: dict[str, bytes]) -> Checkpoint:
    """Return the checkpoint of a log of so many entries."""
    ledger = Ledger(files, TRUST)
    ledger.begin(KEYS)
    for number in range(count):
        _ = ledger.append(b"%d" % number, KEYS)
    return ledger.newest()[1]


def test_an_entry_is_where_it_is_and_nowhere_else() -> None:
    files: dict[str, bytes] = {}
    checkpoint = grown(5, files)

    def read(name: str, _limit: int) -> bytes:
        return files[name]

    assert has_entry(b"3", 3, checkpoint, read)
    assert not has_entry(b"3", 2, checkpoint, read)
    assert not has_entry(b"x", 3, checkpoint, read)
    assert not has_entry(b"5", 5, checkpoint, read)
    assert not has_entry(b"3", 3, checkpoint, lambda _name, limit: bytes(limit))


def test_a_log_goes_on_from_itself() -> None:
    files: dict[str, bytes] = {}
    small, large = grown(3, files), grown(7, files)

    def read(name: str, _limit: int) -> bytes:
        return files[name]

    check_same_log(small, large, read)
    check_same_log(large, small, read)
    for other in (Checkpoint(LOG, 3, bytes(32)), Checkpoint(LOG, 7, bytes(32))):
        with pytest.raises(IntegrityError) as caught:
            check_same_log(other, large, read)
        assert caught.value.word == "split_view"


def test_a_checkpoint_of_another_log_or_key_is_refused() -> None:
    files: dict[str, bytes] = {}
    _ = grown(1, files)
    others = (NoteKey("other", ED25519, KEYS.identity_key), NoteKey(LOG, ED25519, bytes(32)))

    for key in others:
        with pytest.raises(IntegrityError) as caught:
            _ = read_checkpoint(files["pending"], LogTrust(key, (), 0))
        assert caught.value.word == "threshold"


def test_two_of_three_witnesses_are_enough() -> None:
    files: dict[str, bytes] = {}
    _ = grown(1, files)
    note, _ = read_checkpoint(files["pending"], TRUST)
    lines = [cosign(note.text, keys, f"w/{n}", unix_s=1) for n, keys in enumerate(WITNESSES)]

    check_witnessed(note.with_signatures(lines[1:]), TRUST)
    with pytest.raises(IntegrityError, match="cosigned by 1 of its 3 witnesses, needed are 2"):
        check_witnessed(note.with_signatures([lines[0], lines[0]]), TRUST)
