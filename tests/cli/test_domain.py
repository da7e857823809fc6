import stat
from pathlib import Path

from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.records.issuer import Issuer
from ei.records.key_files import read_keys
from ei.records.keys import make_keys
from ei.records.record_files import read_records, write_records

INIT = ("domain", "init", "isp-a", "--number", "7")


def test_a_new_domain_has_a_private_key_and_a_record(ei: Run, tmp_path: Path) -> None:
    made = ei(*INIT, "--json").document

    listed = ei("domain", "list", "--json").document
    assert stat.S_IMODE((tmp_path / "domain.key").stat().st_mode) == 0o600
    assert (listed["name"], listed["number"], listed["key"]) == ("isp-a", 7, made["key"])
    assert listed["members"] == []


def test_its_nodes_and_hosts_need_not_be_told_its_number(ei: Run) -> None:
    assert ei(*INIT).code == Exit.OK

    assert ei("node", "init", "sn1.isp-a", "--endpoint", "127.0.0.1:40000").code == Exit.OK
    assert ei("host", "init", "alice.isp-a").code == Exit.OK

    assert ei("host", "check", "--config", "alice.isp-a/host.toml").code == Exit.OK
    said = ei("domain", "list")
    assert said.code == Exit.OK
    assert "isp-a, number 7, time left: 365 days" in said.out
    assert "alice.isp-a  host" in said.out
    assert said.widest <= 80


def test_nothing_is_overwritten(ei: Run, tmp_path: Path) -> None:
    assert ei(*INIT).code == Exit.OK
    before = [(tmp_path / name).read_bytes() for name in ("domain.key", "records.eir")]

    assert ei(*INIT).code == Exit.CONFLICT
    assert ei(*INIT, "--records", "other.eir").code == Exit.CONFLICT

    assert [(tmp_path / name).read_bytes() for name in ("domain.key", "records.eir")] == before
    assert not (tmp_path / "other.eir").exists()


def test_a_name_that_looks_like_another_is_refused(ei: Run) -> None:
    said = ei("domain", "init", "isp-\u0430", "--number", "7")

    assert said.code == Exit.ERROR
    assert "a-z, 0-9 and -" in said.err


def test_a_record_that_expired_is_listed_with_its_reason(ei: Run) -> None:
    assert ei(*INIT).code == Exit.OK
    old = Issuer("isp-a", 7, read_keys(Path("domain.key")), expires_unix_s=1_000)
    records = Path("records.eir")
    expired = old.enrol(make_keys(b"a" * 32), "alice.isp-a")
    write_records(records, [*read_records(records), expired])

    said = ei("domain", "list")

    assert said.code == Exit.NEGATIVE
    assert "enrolment alice.isp-a: expired" in said.out
