"""What the wheel brings beside code, and that it fits the code."""

import configparser
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from ei.cli.node import DEFAULT_FILE
from ei.cli.targets import RUN_FOLDER
from ei.node.init import SYSTEM_PLACES

ROOT = Path(__file__).parents[1]
DATA = ROOT / "packaging" / "data"
UNIT = DATA / "lib" / "systemd" / "system" / "ei-node.service"
MOST_EXPOSED = 25
"""Of 100: what systemd-analyze calls an exposure level of 2.5."""


def unit() -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, strict=False)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    assert found.read(UNIT)
    return found


def test_the_wheel_takes_it_all_along() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert ROOT / project["tool"]["maturin"]["data"] == DATA.parent
    assert [path.name for path in DATA.parent.iterdir()] == ["data"]
    assert {str(path.relative_to(DATA)) for path in DATA.rglob("*") if path.is_file()} == {
        "share/man/man1/ei.1",
        "lib/systemd/system/ei-node.service",
        "lib/sysusers.d/ei.conf",
    }


@pytest.mark.slow
def test_who_builds_from_the_source_archive_has_it_as_well(tmp_path: Path) -> None:
    maturin = Path(sys.executable).parent / "maturin"
    _ = subprocess.run(
        [maturin, "sdist", "--out", tmp_path], cwd=ROOT, check=True, capture_output=True
    )

    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {str(path.relative_to(ROOT)) for path in DATA.rglob("*") if path.is_file()}
    assert wanted | {"src/ei/dissector/ei.lua", "src/ei/py.typed"} <= names


def test_the_unit_names_the_places_that_the_program_knows() -> None:
    service = unit()["Service"]
    socket = RUN_FOLDER / "node.sock"

    assert service["ExecStart"] == f"ei node run --config {DEFAULT_FILE}"
    assert service["ExecReload"] == f"ei node reload --socket {socket}"
    assert f'admin_socket = "{socket}"' in SYSTEM_PLACES.values()
    assert f'state_directory = "/var/lib/{service["StateDirectory"]}"' in SYSTEM_PLACES.values()
    assert Path("/run") / service["RuntimeDirectory"] == RUN_FOLDER
    assert service["User"] in (DATA / "lib" / "sysusers.d" / "ei.conf").read_text().split()


def test_f10_the_unit_is_hardened() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing: sudo apt-get install systemd")

    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stdout + said.stderr
    assert "Overall exposure level" in said.stdout
