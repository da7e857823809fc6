"""What the wheel brings beside code, and that it fits the code."""

import configparser
import re
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
from ei.runtime.jail.filtering import FOLDER, WORKER

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


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.service")), ids=lambda path: path.stem)
def test_f10_the_unit_is_hardened(path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing: sudo apt-get install systemd")

    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stdout + said.stderr
    assert "Overall exposure level" in said.stdout


def known_sets() -> dict[str, list[str]]:
    """Return what systemd's sets of system calls consist of."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing: sudo apt-get install systemd")
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True
    ).stdout
    sets: dict[str, list[str]] = {}
    name = ""
    for line in said.splitlines():
        word = line.strip()
        if line.startswith("@"):
            name = word
            sets[name] = []
        elif word and not word.startswith("#") and name:
            sets[name].append(word)
    return sets


def expanded(words: str, sets: dict[str, list[str]]) -> set[str]:
    calls: set[str] = set()
    for word in words.split():
        calls |= expanded(" ".join(sets[word]), sets) if word.startswith("@") else {word}
    return calls


def test_the_unit_lets_workers_close_their_jails() -> None:
    sets, allowed = known_sets(), set[str]()
    for line in UNIT.read_text().splitlines():
        name, _, words = line.partition("=")
        if name == "SystemCallFilter" and words.startswith("~"):
            allowed -= expanded(words[1:], sets)
        elif name == "SystemCallFilter":
            allowed |= expanded(words, sets)

    runtime = ROOT / "src" / "ei" / "runtime"
    code = "".join(path.read_text() for path in sorted(runtime.rglob("*.py")))
    made = {*re.findall(r'\b(?:call|_checked)\("(\w+)"', code)} - {"sigaction"}

    assert {"seccomp", "landlock_create_ruleset", "unshare", "mount", "prctl", "capset"} <= made
    assert made | {*WORKER, *FOLDER} <= allowed
    assert unit()["Service"]["RestrictNamespaces"] == "user mnt net ipc uts"
