from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.records.record_files import read_records, write_records


def test_a_missing_configuration_is_said_with_its_path(ei: Run) -> None:
    for verb in ("run", "check"):
        said = ei("node", verb, "--config", "nowhere/node.toml")

        assert said.code == Exit.ERROR
        assert "nowhere/node.toml" in said.err
        assert "ei node init" in said.err


def test_a_record_that_does_not_count_is_shown_by_both_checks(ei: Run, tmp_path: Path) -> None:
    domain = ("--domain-number", "1")
    assert ei("key", "new", "domain.key").code == Exit.OK
    assert ei("node", "init", "sn1.isp-a", *domain, "--endpoint", "127.0.0.1:40000").code == Exit.OK
    assert ei("host", "init", "alice.isp-a", *domain).code == Exit.OK
    records = tmp_path / "records.eir"
    write_records(records, [*read_records(records), b"junk"])

    for kind, name in (("node", "sn1.isp-a"), ("host", "alice.isp-a")):
        said = ei(kind, "check", "--config", f"{name}/{kind}.toml")

        assert said.code == Exit.NEGATIVE
        assert "records: 2 names, 1 refused" in said.out
        assert "record 4: " in said.out


@pytest.mark.slow
def test_a_node_shows_its_fates_services_and_peers(lab: Run) -> None:
    said = lab("node", "status", "sn1.isp-a")

    assert said.code == Exit.OK, said.err
    assert "received" in said.out
    assert "delivery" in said.out
    assert "alice.isp-a" in said.out


@pytest.mark.slow
def test_a_host_is_no_node(lab: Run) -> None:
    assert lab("node", "status", "alice").code == Exit.NEGATIVE


@pytest.mark.slow
def test_a_node_reads_its_files_again_and_says_what_has_to_wait(
    lab: Run, running_lab: Path
) -> None:
    (path,) = running_lab.rglob("sn1.isp-a/node.toml")
    text = path.read_text()
    assert "threads = " not in text
    _ = path.write_text("threads = 2\n" + text)

    said = lab("node", "reload", "sn1.isp-a")
    _ = path.write_text(text)

    assert said.code == Exit.OK, said.err
    assert ", 0 refused" in said.out
    assert "threads has changed: that needs a restart" in said.out


@pytest.mark.slow
def test_a_reload_that_fails_says_why_and_changes_nothing(lab: Run, running_lab: Path) -> None:
    (path,) = running_lab.rglob("sn1.isp-a/node.toml")
    text = path.read_text()
    _ = path.write_text("nonsense = 2\n" + text)

    said = lab("node", "reload", "sn1.isp-a")
    _ = path.write_text(text)

    assert said.code == Exit.ERROR
    assert "nonsense" in said.err
    assert lab("node", "reload", "sn1.isp-a", "--json").document["needs_restart"] == []
