"""`ei module conform`: what it says of a module that keeps the laws, and of one that does not."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.conform.planted import HONEST, PLANTED

from ei.cli.exits import Exit
from ei.conform.certificate import read_certificate
from ei.conform.laws import TITLES

CONFORM = ("module", "conform", "--trusted")
"""Wherever these tests run, and whatever is missing there of a jail."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_a_module_that_keeps_all_laws_gets_its_certificate(ei: Run, tmp_path: Path) -> None:
    folder = HONEST.plant(tmp_path)

    said = ei(*CONFORM, str(folder), "--events", "32", "--into", "certificate.json")

    assert said.code == Exit.OK
    assert all(law in said.out for law in TITLES)
    assert read_certificate((tmp_path / "certificate.json").read_bytes()).is_kept


def test_a_broken_law_is_named_with_event_and_difference(ei: Run, tmp_path: Path) -> None:
    folder = PLANTED["counts in a global"].plant(tmp_path)

    said = ei(*CONFORM, str(folder), "--events", "32")

    assert said.code == Exit.NEGATIVE
    text = "".join(said.out.split())  # lines are folded at 80 columns
    assert "planted:functionisbrokenatevent" in text
    assert "Count.amountis2,where3wasexpected" in text


def test_as_json_it_is_the_certificate(ei: Run, tmp_path: Path) -> None:
    folder = PLANTED["raises"].plant(tmp_path)

    said = ei(*CONFORM, str(folder), "--events", "32", "--json")

    assert said.code == Exit.NEGATIVE
    certificate = read_certificate(json.dumps(said.document).encode())
    assert [each.law for each in certificate.laws if each.result == "broken"] == ["no_fault"]


def test_several_are_a_table_and_a_folder_of_certificates(ei: Run, tmp_path: Path) -> None:
    folder = HONEST.plant(tmp_path)

    said = ei(*CONFORM, str(folder), "echo", "--events", "16", "--into", "all")

    assert said.code == Exit.OK
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"planted.json", "echo.json"}
    assert "planted" in said.out


def test_what_is_no_module_is_refused(ei: Run) -> None:
    said = ei("module", "conform", ".")

    assert said.code == Exit.ERROR
    assert "manifest.toml" in said.err
