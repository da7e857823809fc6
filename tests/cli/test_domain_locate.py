"""`ei domain locate`: where a node is stands in its record, and only if somebody says so."""

from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.records.envelope import open_record
from ei.records.kinds import NodeRecord
from ei.records.record_files import read_records


@pytest.fixture
def domain(ei: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return `ei`, in the folder of a domain with a node."""
    monkeypatch.chdir(tmp_path)
    assert ei("domain", "init", "isp-a", "--number", "1").code == Exit.OK
    return ei


def located() -> list[tuple[int, int] | None]:
    records = (open_record(envelope)[0] for envelope in read_records(Path("records.eir")))
    return [record.location for record in records if isinstance(record, NodeRecord)]


def test_a_node_is_where_its_domain_says(domain: Run) -> None:
    made = domain("node", "init", "sn1.isp-a", "--endpoint", "192.0.2.1:1", "--location", "48,11")
    assert made.code == Exit.OK, made.err
    assert located() == [(48, 11)]

    said = domain("domain", "locate", "sn1", "34S,58W", "--json")

    assert said.code == Exit.OK, said.err
    assert said.document == {
        "schema": "ei.domain-locate/1",
        "name": "sn1.isp-a",
        "location": [-34, -58],
    }
    assert located() == [(-34, -58)]
    assert "sn1.isp-a: not said" in domain("domain", "locate", "sn1.isp-a", "none").out
    assert located() == [None]


def test_a_node_that_nobody_knows_is_not_located(domain: Run) -> None:
    said = domain("domain", "locate", "sn9", "48,11")

    assert said.code == Exit.NEGATIVE
    assert "no node sn9 of isp-a" in said.err
    assert "ei domain list" in said.err


def test_what_is_no_location_is_refused_with_an_example(domain: Run) -> None:
    said = domain("domain", "locate", "sn1", "Munich")

    assert said.code == Exit.ERROR
    assert "such as 48,11 or 34S,58W" in said.err
