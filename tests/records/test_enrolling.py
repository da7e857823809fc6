"""A roll grows by what its domain signs, and by nothing else."""

from pathlib import Path

import pytest

from ei.errors import ConfigError, ConflictError, IntegrityError
from ei.records.enrolling import Roll, full_name
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_files import read_records

ISSUER = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=2_000)
ALICE, BOB = make_keys(b"a" * 32), make_keys(b"b" * 32)


def test_a_roll_begins_with_its_domain(tmp_path: Path) -> None:
    records = Roll(ISSUER, tmp_path / "r", 1_000).add(lambda _: [ISSUER.enrol(ALICE, "a.isp-a")])

    assert records.domains.keys() == {"isp-a"}
    assert len(read_records(tmp_path / "r")) == 2


def test_a_name_that_is_taken_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    roll = Roll(ISSUER, tmp_path / "r", 1_000)
    _ = roll.add(lambda _: [ISSUER.enrol(ALICE, "a.isp-a")])
    before = (tmp_path / "r").read_bytes()

    with pytest.raises(ConflictError, match=r"the name a\.isp-a is taken"):
        _ = roll.add(lambda _: [ISSUER.enrol(BOB, "a.isp-a")])

    assert (tmp_path / "r").read_bytes() == before


def test_records_of_other_domains_stay(tmp_path: Path) -> None:
    other = Issuer("isp-b", 2, make_keys(b"o" * 32), expires_unix_s=2_000)
    _ = Roll(other, tmp_path / "r", 1_000).add(lambda _: [other.enrol(BOB, "b.isp-b")])

    _ = Roll(ISSUER, tmp_path / "r", 1_000).add(lambda _: [ISSUER.enrol(ALICE, "a.isp-a")])

    assert len(read_records(tmp_path / "r")) == 4


def test_a_damaged_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"junk")

    with pytest.raises(IntegrityError):
        _ = Roll(ISSUER, tmp_path / "r", 1_000).add(lambda _: [])

    assert (tmp_path / "r").read_bytes() == b"junk"


def test_a_short_name_gets_its_domain() -> None:
    assert full_name("sn1", "isp-a") == full_name("sn1.isp-a", "isp-a") == "sn1.isp-a"
    with pytest.raises(ConfigError, match="not of domain"):
        _ = full_name("sn1.isp-b", "isp-a")
