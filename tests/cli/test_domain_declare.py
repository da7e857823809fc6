"""`ei domain declare`: what a domain says of itself, for others to judge by."""

from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.records.envelope import open_record
from ei.records.kinds import DomainRecord
from ei.records.record_files import read_records


@pytest.fixture
def domain(ei: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return `ei`, in the folder of a domain with a node."""
    monkeypatch.chdir(tmp_path)
    assert ei("domain", "init", "isp-a", "--number", "1").code == Exit.OK
    made = ei("node", "init", "sn1.isp-a", "--endpoint", "192.0.2.1:3535")
    assert made.code == Exit.OK, made.err
    return ei


def declared() -> list[DomainRecord]:
    records = (open_record(envelope)[0] for envelope in read_records(Path("records.eir")))
    return [record for record in records if isinstance(record, DomainRecord)]


def test_providers_and_directories_are_signed(domain: Run) -> None:
    said = domain("domain", "declare", "--provider", "7", "--provider", "9")
    assert said.code == Exit.OK, said.err
    again = domain("domain", "declare", "--directory", "sn1.isp-a", "--json")

    assert again.code == Exit.OK, again.err
    assert again.document["providers"] == [7, 9]
    assert again.document["directories"] == ["sn1.isp-a"]
    (record,) = declared()
    assert record.providers == (7, 9)
    assert len(record.directories) == 1


def test_none_takes_all_away_and_the_record_is_the_newer_one(domain: Run) -> None:
    _ = domain("domain", "declare", "--provider", "7")
    (before,) = declared()

    said = domain("domain", "declare", "--provider", "none", "--days", "1")

    assert "nobody but its peers" in said.out
    (after,) = declared()
    assert after.providers == ()
    assert after.expires_unix_s > before.expires_unix_s


def test_renewing_keeps_what_was_declared(domain: Run) -> None:
    _ = domain("domain", "declare", "--provider", "7")

    assert domain("domain", "renew").code == Exit.OK

    assert declared()[0].providers == (7,)


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        ((), Exit.ERROR, "--provider"),
        (("--provider", "isp-x"), Exit.NEGATIVE, "isp-a"),
        (("--provider", "1"), Exit.CONFLICT, "another domain"),
        (("--directory", "sn9.isp-a"), Exit.NEGATIVE, "sn1.isp-a"),
    ],
)
def test_what_nobody_would_believe_is_refused(
    domain: Run, words: tuple[str, ...], code: Exit, hint: str
) -> None:
    said = domain("domain", "declare", *words)

    assert (said.code, hint in said.err) == (code, True), said.err
    assert declared()[0].providers == ()
