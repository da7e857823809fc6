"""What is said of a module, for all that can become of it; the lab is one that only tells."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from ei.cli.dev_desk import LINES_PER_S, Budget, Desk
from ei.cli.module_new import write_module
from ei.cli.output import Output
from ei.errors import ConflictError, EiError, UnreachableError
from ei.lab.ending import Ended
from ei.node.admin import EventsAnswer
from ei.node.watching import Died, Entry, Limits, Numbered, Running
from ei.runtime.faults import Fault
from ei.runtime.jail import OPEN
from ei.runtime.watching import Handled
from ei.sdk import Manifest

LIMITS = Limits(10, 250, 64, 64 * 1024 * 1024)
STARTED = Handled(
    events=("Started",),
    connections=(),
    cpu_ns=80_000,
    effects=0,
    dropped=(),
    faults=(),
    memory_bytes=33 * 1024 * 1024,
)
RAISED = Fault("service_error", "PacketArrived", "ValueError: no", "service.py:29")


class TellingShop:
    """Runs nothing, and tells what it is told to tell."""

    def __init__(self) -> None:
        self.is_open = False
        self.loads: list[bool] = []
        self.trouble: EiError | None = None
        self.told: list[Entry] = []

    def load(
        self, manifest: Manifest, *, is_fresh: bool, on_progress: Callable[[str], object] = str
    ) -> bool:
        if self.trouble is not None:
            raise self.trouble
        was_open, self.is_open = self.is_open, True
        self.loads.append(is_fresh)
        self.told += [Running(5, OPEN), STARTED]
        return was_open and not is_fresh

    def take_events(self) -> EventsAnswer:
        if self.trouble is not None:
            raise self.trouble
        told, self.told = self.told, []
        entries = [Numbered(number, entry) for number, entry in enumerate(told)]
        return EventsAnswer(entries, LIMITS, "/srv/hello")

    def close(self) -> Ended | None:
        self.is_open = False
        return None


class Scene:
    """A desk, its shop, and what was said."""

    def __init__(self, folder: Path, *, is_fresh: bool = False, is_json: bool = False) -> None:
        self.folder = folder
        self.shop = TellingShop()
        self._out, self._err = io.StringIO(), io.StringIO()
        output = Output(stdout=self._out, stderr=self._err, environ={}, is_json=is_json)
        self.desk = Desk(folder, self.shop, output, is_fresh=is_fresh)

    def said(self) -> str:
        """Return what was said on both streams since the last call."""
        text = self._out.getvalue() + self._err.getvalue()
        for stream in (self._out, self._err):
            _ = stream.seek(0)
            _ = stream.truncate()
        return text


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    folder = tmp_path / "hello"
    _ = write_module(folder, "packet", number=0xF000_0001)
    return Scene(folder)


def test_it_says_what_runs_within_which_limits_and_what_comes_next(scene: Scene) -> None:
    scene.desk.load(0.0)
    scene.desk.look(None)

    said = scene.said()
    assert "hello@0.1.0 runs on sn1.dev, tier nano: 10 ms of CPU time and 64 effects" in said
    assert "next: ei invoke hello ping" in said
    assert "(state new)" in said
    assert "Started   cpu 80 µs of 10 ms   effects 0 of 64   memory 33.0 of 64 MiB" in said


def test_a_save_is_loaded_with_the_state_kept_or_not(scene: Scene) -> None:
    scene.desk.load(0.0)
    scene.desk.look(0.0)
    scene.desk.look(None)
    assert "(state kept; --fresh begins anew)" in scene.said()

    fresh = Scene(scene.folder, is_fresh=True)
    fresh.desk.load(0.0)
    fresh.desk.look(0.0)
    fresh.desk.look(None)
    assert "state kept" not in fresh.said()
    assert fresh.shop.loads == [True, True]


def test_what_cannot_be_read_is_said_with_its_line_and_the_old_goes_on(scene: Scene) -> None:
    scene.desk.load(0.0)
    service = scene.folder / "service.py"
    _ = service.write_text(service.read_text() + "\nclass Broken(:\n")
    _ = scene.said()

    scene.desk.look(0.0)

    said = scene.said()
    assert "✗ EI-2001 service.py:40: no Python: " in said
    assert "what ran before goes on; the next save is tried" in said
    assert scene.shop.loads == [False]


def test_a_module_that_is_broken_from_the_start_waits_for_a_save(scene: Scene) -> None:
    service = scene.folder / "service.py"
    good = service.read_text()
    _ = service.write_text("import os\n")
    scene.desk.load(0.0)
    scene.desk.look(None)
    said = scene.said()
    assert "EI-2001 service.py:1: imports os: " in said
    assert "nothing runs yet; the next save is tried" in said

    _ = service.write_text(good)
    scene.desk.look(0.0)

    assert "hello@0.1.0 runs on sn1.dev" in scene.said()


def test_a_folder_that_is_gone_is_said_and_waited_for(scene: Scene) -> None:
    scene.desk.load(0.0)
    _ = (scene.folder / "manifest.toml").rename(scene.folder / "away")
    _ = scene.said()

    scene.desk.look(0.0)

    assert "EI-1007 manifest.toml: cannot be read" in scene.said()


def test_faults_are_said_in_80_columns(scene: Scene) -> None:
    scene.desk.load(0.0)
    long = Fault(
        "service_error", "PacketArrived", f"ValueError: {'very ' * 30}long", "service.py:2"
    )
    scene.shop.told.append(
        Handled(
            events=("PacketArrived",),
            connections=(7,),
            cpu_ns=80_000,
            effects=0,
            dropped=("service_error",),
            faults=(RAISED, long),
            memory_bytes=1,
        )
    )

    scene.desk.look(None)

    said = scene.said()
    assert "✗ EI-2002 service.py:29: PacketArrived: ValueError: no" in said
    assert "dropped: service_error" in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_death_is_said_once_and_its_repetitions_counted(scene: Scene) -> None:
    scene.desk.load(0.0)
    scene.desk.look(None)
    _ = scene.said()
    for again_s in (0.05, 0.1):
        scene.shop.told.append(Died("SIGSEGV", ("PacketArrived",), again_s))
        scene.shop.told.append(Running(6, OPEN))

    scene.desk.look(None)
    said = scene.said()
    assert said.count("✗ EI-2004") == 1
    assert "death 2 since the last save; it is started again in 100 ms" in said

    scene.shop.told.append(STARTED)
    scene.desk.look(None)
    assert "it runs again" in scene.said()


def test_when_the_node_itself_is_gone_it_is_started_again(scene: Scene) -> None:
    scene.desk.load(0.0)
    scene.shop.trouble = UnreachableError("no daemon answers at /tmp/x")
    _ = scene.said()

    scene.desk.look(None)
    assert "EI-1006" in scene.said()
    assert not scene.shop.is_open

    scene.shop.trouble = None
    scene.desk._again_s = 1e-9  # noqa: SLF001 a second later
    scene.desk.look(None)
    assert scene.shop.is_open


def test_a_lab_that_cannot_start_is_no_end(scene: Scene) -> None:
    scene.shop.trouble = ConflictError("sn1.dev ended with 2 at its start: two services 17")

    scene.desk.load(0.0)

    said = scene.said()
    assert "EI-1005" in said
    assert "nothing runs yet" in said


def test_programs_get_an_object_for_each_event_and_error(scene: Scene) -> None:
    told = Scene(scene.folder, is_json=True)
    told.desk.load(0.0)
    told.desk.look(None)

    said = told.said()
    assert '"schema": "ei.dev-loaded/1"' in said
    assert '"schema": "ei.dev-event/1", "what": "handled"' in said


def test_of_a_flood_so_many_lines_a_second_are_said_and_the_rest_counted() -> None:
    budget = Budget("events")
    said: list[str] = []

    taken = sum(budget.take(7.5, said.append) for _ in range(1_000))
    budget.turn(8.0, said.append)

    assert taken == LINES_PER_S
    assert said == [f"{1_000 - LINES_PER_S} more events in that second"]
