"""Each template is a module that passes all that is asked of one."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.module_new import FIRST_EXPERIMENT, find_templates, write_module
from ei.runtime.loader import load_service
from ei.testing.cases import run_cases

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent


def made(tmp_path: Path, template: str) -> Path:
    folder = tmp_path / "my_first"
    _ = write_module(folder, template, number=FIRST_EXPERIMENT + 1)
    return folder


def test_it_says_what_it_made_and_what_comes_next(ei: Run, tmp_path: Path) -> None:
    said = ei("module", "new", "hello")

    assert said.code == Exit.OK
    assert said.out.startswith("hello/  README.md  manifest.toml  service.py  test_service.py\n")
    assert "next: cd hello && ei module test" in said.err
    assert load_service(tmp_path / "hello").manifest.id >= FIRST_EXPERIMENT


def test_it_says_so_to_programs_as_well(ei: Run, tmp_path: Path) -> None:
    document = ei("module", "new", "hello", "--template", "storage", "--json").document

    assert document["schema"] == "ei.module-new/1"
    assert document["folder"] == str(tmp_path / "hello")
    assert document["template"] == "storage"


def test_nothing_that_exists_is_overwritten(ei: Run, tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()

    said = ei("module", "new", "hello")

    assert said.code == Exit.CONFLICT
    assert "hello exists" in said.err
    assert list((tmp_path / "hello").iterdir()) == []


@pytest.mark.parametrize("name", ["Hello", "2nd", "a-b", "", "a" * 33, "../x"])
def test_a_name_that_no_service_can_have_is_refused(ei: Run, name: str) -> None:
    said = ei("module", "new", name)

    assert said.code == Exit.ERROR
    assert "1 to 32 of a-z, 0-9 and _, a letter first are allowed" in said.err


def test_the_name_of_a_service_that_is_there_is_refused(ei: Run) -> None:
    said = ei("module", "new", "echo")

    assert said.code == Exit.CONFLICT
    assert "Choose another name" in said.err


@pytest.mark.parametrize("template", find_templates())
def test_of_what_a_template_has_to_be_filled_in_nothing_is_left(
    tmp_path: Path, template: str
) -> None:
    folder = made(tmp_path, template)

    for path in folder.rglob("*"):
        if path.suffix in {".md", ".py", ".toml"}:
            text = path.read_text()
            assert "MODULE_N" not in text
            assert "ModuleName" not in text
    assert load_service(folder).manifest.name == "my_first"


@pytest.mark.slow
@pytest.mark.parametrize("template", find_templates())
def test_a_template_passes_its_own_tests(tmp_path: Path, template: str) -> None:
    cases = run_cases(made(tmp_path, template))

    assert [case for case in cases if case.outcome != "passed"] == []
    assert len(cases) >= 2


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("template", find_templates())
def test_a_template_keeps_to_the_laws(ei: Run, template: str) -> None:
    _ = ei("module", "new", "my_first", "--template", template)

    said = ei("module", "conform", "my_first", "--trusted")

    assert said.code == Exit.OK, said.out


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("template", find_templates())
@pytest.mark.parametrize(
    "check",
    [
        ("ruff", "check", "--config", "pyproject.toml", "--ignore", "INP001"),
        ("ruff", "format", "--check", "--config", "pyproject.toml"),
        ("mypy", "--config-file", "pyproject.toml"),
    ],
    ids=lambda check: "-".join(check[:2]),
)
def test_a_template_passes_the_checks_of_the_project(
    tmp_path: Path, template: str, check: tuple[str, ...]
) -> None:
    files = [str(path) for path in sorted(made(tmp_path, template).glob("*.py"))]
    for file in files:
        command = [TOOLS / check[0], *check[1:], file]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stdout + done.stderr
