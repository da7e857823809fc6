"""What running scenarios promises."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ei.errors import ConfigError, NotFoundError
from ei.lab.promises import Promise
from ei.lab.run_folder import run_folder
from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation

SCRIPT = '''"""Says what it is.

And more.
"""
from ei.errors import DeadlineError
from ei.lab.promises import promise

async def run(lab):
    yield promise("alice answers", await lab.host("alice").ping("bob.d") < 1, "==", limit=True)
    FURTHER
'''
TOPOLOGY = """
version = 1
services = ["delivery"]
[domains.d.nodes.n]
[domains.d.hosts.alice]
nodes = ["n"]
[domains.d.hosts.bob]
nodes = ["n"]
"""


def write(folder: Path, *, further: str = "") -> str:
    (folder / "scenario.py").write_text(SCRIPT.replace("FURTHER", further))
    (folder / "topology.toml").write_text(TOPOLOGY)
    return str(folder)


def test_a_folder_of_ones_own_is_a_scenario(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path))
    seen: list[Promise] = []

    report = run_in_simulation(scenario, seed=7, on_promise=seen.append)

    assert scenario.summary == "Says what it is."
    assert (report.is_ok, report.backend, report.seed) == (True, "simulation", 7)
    assert tuple(seen) == report.promises
    assert len(json.loads(report.json())["digest"]) == 64


def test_an_error_that_ends_a_scenario_is_a_broken_promise(tmp_path: Path) -> None:
    report = run_in_simulation(
        load_scenario(write(tmp_path, further="raise DeadlineError('nobody came')")), seed=7
    )

    assert [each.status for each in report.promises] == ["ok", "broken"]
    assert report.promises[1].measured == "DeadlineError: nobody came"


def test_a_mistake_in_a_scenario_is_not_hidden(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, further="raise ZeroDivisionError"))

    with pytest.raises(ZeroDivisionError):
        run_in_simulation(scenario, seed=7)


def test_what_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no scenario 'cor'; did you mean 'core'"):
        load_scenario("cor")
    (tmp_path / "scenario.py").write_text("syntax error")
    with pytest.raises(ConfigError, match=r"scenario\.py cannot be imported"):
        load_scenario(str(tmp_path))
    (tmp_path / "scenario.py").write_text("")
    with pytest.raises(ConfigError, match="async def run"):
        load_scenario(str(tmp_path))


def test_a_capture_is_written_beside(tmp_path: Path) -> None:
    path = tmp_path / "lab.pcapng"

    _ = run_in_simulation(load_scenario(write(tmp_path)), seed=7, capture=path)

    assert path.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"


@pytest.mark.slow
def test_real_processes_run_the_same_scenario_and_leave_nothing(
    tmp_path: Path, environ: Mapping[str, str]
) -> None:
    report = run_in_processes(load_scenario(write(tmp_path)), seed=7, environ=environ)

    assert (report.is_ok, report.backend, report.digest) == (True, "processes", None)
    labs = run_folder("any", environ).path.parent
    assert [path.name for path in labs.iterdir() if path.name.startswith("run-")] == []
