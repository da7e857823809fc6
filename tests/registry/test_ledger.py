import pytest
from tests.registry.test_logged import KEYS, TRUST
from tests.registry.world import WITNESSES, keys_of

from ei.errors import ConflictError, IntegrityError
from ei.registry.ledger import Ledger, root_of_entries
from ei.registry.notes import cosign


@pytest.fixture
def files() -> dict[str, bytes]:
    return {}


@pytest.fixture
def ledger(files: dict[str, bytes]) -> Ledger:
    made = Ledger(files, TRUST)
    made.begin(KEYS)
    return made


def cosigned(ledger: Ledger, *numbers: int) -> int:
    note, _ = ledger.newest()
    return ledger.take(
        [cosign(note.text, WITNESSES[number], f"w/{number}", unix_s=1) for number in numbers]
    )


def test_it_shows_what_enough_witnesses_have_cosigned(ledger: Ledger) -> None:
    assert ledger.append(b"a", KEYS) == 0
    assert ledger.shown() is None
    assert cosigned(ledger, 0) == 1
    assert ledger.shown() is None
    assert cosigned(ledger, 2) == 2

    shown = ledger.shown()
    assert shown is not None
    assert shown.size == 1
    assert ledger.append(b"b", KEYS) == 1
    assert ledger.shown() == shown


def test_an_entry_is_appended_once(ledger: Ledger) -> None:
    assert [ledger.append(entry, KEYS) for entry in (b"a", b"b", b"a")] == [0, 1, 0]
    assert list(ledger.entries()) == [b"a", b"b"]
    assert ledger.find(b"x") is None


def test_cosignatures_of_others_or_of_another_log_are_refused(ledger: Ledger) -> None:
    note, _ = ledger.newest()
    _ = ledger.append(b"a", KEYS)

    for line in (
        cosign(note.text, WITNESSES[0], "w/0", unix_s=1),
        cosign(ledger.newest()[0].text, keys_of("stranger"), "w/0", unix_s=1),
    ):
        with pytest.raises(ConflictError, match="no signature of one of the 3 witnesses"):
            _ = ledger.take([line])


def test_only_the_key_of_the_log_signs_it(ledger: Ledger) -> None:
    with pytest.raises(ConflictError, match="is not the key of the log"):
        _ = ledger.append(b"a", keys_of("stranger"))


def test_entries_that_were_changed_are_found(ledger: Ledger, files: dict[str, bytes]) -> None:
    _ = ledger.append(b"a", KEYS)
    files["tile/entries/000.p/1"] = b"\0\1b"

    with pytest.raises(IntegrityError):
        _ = list(ledger.entries())


def test_the_root_is_that_of_the_entries(ledger: Ledger) -> None:
    entries = [b"%d" % number for number in range(20)]
    for entry in entries:
        _ = ledger.append(entry, KEYS)

    assert ledger.newest()[1].root == root_of_entries(entries)
