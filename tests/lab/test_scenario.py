"""What running scenarios promises."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from ei.errors import ConfigError, LocalError, NotFoundError
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

CALL = """
    with lab.host("alice").call(4026531842) as channel:
        yield promise("one is sent", channel.send(b"x"), "==", limit=True)
    await lab.sleep(1)
"""
MANIFEST = """
id = 4026531842
name = "clumsy"
version = "0.1.0"
summary = "Fails."
"""
CLUMSY = """
from ei.sdk import Service

class Clumsy(Service):
    __slots__ = ()

    def on_packet(self, event, ctx):
        return 1 // 0

SERVICE = Clumsy
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


def test_a_scenario_has_the_name_by_which_it_is_found() -> None:
    scenario = load_scenario("ways-in")

    assert (scenario.name, scenario.folder.name) == ("ways-in", "ways_in")


def test_an_error_that_ends_a_scenario_is_a_broken_promise(tmp_path: Path) -> None:
    report = run_in_simulation(
        load_scenario(write(tmp_path, further="raise DeadlineError('nobody came')")), seed=7
    )

    assert [each.status for each in report.promises] == ["ok", "broken"]
    assert report.promises[1].measured == "DeadlineError: nobody came"


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ("raise ZeroDivisionError", "scenario.py:10: ZeroDivisionError"),
        ("int('seven')", "scenario.py:10: ValueError: invalid literal for int"),
        ("raise SystemExit(3)", "scenario.py:10: SystemExit: 3"),
        ("yield 7", "scenario.py:10: TypeError: 7 is no promise"),
    ],
)
def test_a_mistake_in_a_scenario_is_its_own_by_file_and_line(
    tmp_path: Path, further: str, said: str
) -> None:
    scenario = load_scenario(write(tmp_path, further=further))

    with pytest.raises(LocalError, match=re.escape(said)):
        run_in_simulation(scenario, seed=7)


def test_a_service_that_fails_breaks_the_run_although_its_packets_look_refused(
    tmp_path: Path,
) -> None:
    place = write(tmp_path, further=CALL)
    (tmp_path / "topology.toml").write_text(
        TOPOLOGY.replace('["delivery"]', '["delivery", "clumsy"]\nservice_folders = ["services"]')
    )
    folder = tmp_path / "services" / "clumsy"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "manifest.toml").write_text(MANIFEST)
    (folder / "service.py").write_text(CLUMSY)

    report = run_in_simulation(load_scenario(place), seed=7)

    assert [each.status for each in report.promises] == ["ok", "ok", "broken"]
    assert report.promises[2].measured == 1
    assert "service_error" in report.promises[2].name


def test_a_mistake_in_a_task_of_a_scenario_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "topology.toml").write_text(TOPOLOGY)
    (tmp_path / "scenario.py").write_text(
        "import asyncio\n"
        "async def fail(): {}['x']\n"
        "async def run(lab):\n"
        "    async with asyncio.TaskGroup() as group: group.create_task(fail())\n"
        "    yield\n"
    )

    with pytest.raises(LocalError, match=r"scenario\.py:2: KeyError: 'x'"):
        run_in_simulation(load_scenario(str(tmp_path)), seed=7)


def test_a_scenario_that_waits_for_ever_is_no_bug_of_ours(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, further="await lab.sleep(1e9)"))

    with pytest.raises(LocalError):
        run_in_simulation(scenario, seed=7)


@pytest.mark.parametrize(
    "run",
    [
        "def run(lab):\n    yield 1",
        "async def run(lab):\n    return []",
        "run = 7",
    ],
)
def test_what_is_no_scenario_is_said_with_what_is(tmp_path: Path, run: str) -> None:
    (tmp_path / "scenario.py").write_text(f"\n{run}")

    with pytest.raises(ConfigError, match=r"scenario\.py.*: `async def run\(lab\)`"):
        load_scenario(str(tmp_path))


def test_what_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no scenario 'cor'; did you mean 'core'"):
        load_scenario("cor")
    (tmp_path / "scenario.py").write_text("syntax error")
    with pytest.raises(ConfigError, match=r"scenario\.py:1 cannot be imported: SyntaxError"):
        load_scenario(str(tmp_path))
    (tmp_path / "scenario.py").write_text("")
    with pytest.raises(ConfigError, match="async def run"):
        load_scenario(str(tmp_path))


@pytest.mark.parametrize("said", ["()", "'netns'", "('docker',)", "7"])
def test_backends_that_are_none_are_said_with_those_that_are(tmp_path: Path, said: str) -> None:
    place = write(tmp_path)
    script = tmp_path / "scenario.py"
    script.write_text(f"{script.read_text()}\nBACKENDS = {said}\n")

    with pytest.raises(ConfigError, match=r"simulation.*netns"):
        load_scenario(place)


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
