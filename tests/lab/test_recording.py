"""What keeping a simulated run promises."""

from pathlib import Path

import pytest
from tests.lab.test_scenario import write

from ei.errors import EiError, IntegrityError, LocalError, NotFoundError
from ei.lab.recording import Recorder, Recording, RunStore, run_recorded, scenario_digest
from ei.lab.scenario import load_scenario, run_in_simulation

RECORDING = Recording(
    scenario="echo", seed=7, scenario_digest="0", code_digest="1", version="0", digest="2",
    entries=0, is_whole=True, ended_s=0.0,
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore({"XDG_STATE_HOME": f"{tmp_path}-state"}, kept=2)


def test_a_run_is_kept_with_all_that_makes_it_again(store: RunStore, tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path))

    report = run_recorded(scenario, store, seed=7, unix_s=5.0)

    (name,) = store.names()
    recording = store.load(name)
    assert name == f"{tmp_path.name}-7"
    assert (recording.scenario, recording.seed, recording.recorded_unix_s) == (str(tmp_path), 7, 5)
    assert recording.digest == report.digest == run_in_simulation(scenario, seed=7).digest
    assert recording.scenario_digest == scenario_digest(scenario)
    assert len(list(store.events(name))) == recording.entries > 10
    assert recording.is_whole


def test_a_run_that_does_not_get_to_its_end_is_kept_with_the_reason(
    store: RunStore, tmp_path: Path
) -> None:
    scenario = load_scenario(write(tmp_path, further="raise ZeroDivisionError"))

    with pytest.raises(EiError, match="ZeroDivisionError"):
        run_recorded(scenario, store, seed=7, unix_s=0)

    recording = store.load(f"{tmp_path.name}-7")
    assert "ZeroDivisionError" in recording.error
    assert recording.digest is None


def test_a_full_disk_does_not_spoil_a_run(tmp_path: Path) -> None:
    said: list[OSError] = []
    (tmp_path / "ei").write_text("in the way")
    store = RunStore({"XDG_STATE_HOME": str(tmp_path)})

    report = run_recorded(
        load_scenario(write(tmp_path)), store, seed=7, unix_s=0, on_unsaved=said.append
    )

    assert report.is_ok
    assert len(said) == 1


def test_the_oldest_runs_make_room(store: RunStore) -> None:
    for name in ("a-1", "b-1", "a-1", "c-1"):
        store.save(RECORDING, b"", name=name)

    assert store.names() == ["c-1", "a-1"]


def test_a_run_that_is_not_there_or_damaged_is_said(store: RunStore, tmp_path: Path) -> None:
    store.save(RECORDING, b"no zlib", name="echo-7")

    with pytest.raises(NotFoundError, match=r"no run 'echo-8'; did you mean 'echo-7'"):
        _ = store.load("echo-8")
    with pytest.raises(LocalError, match="no run is called"):
        _ = store.load("../echo-7")
    with pytest.raises(IntegrityError, match="is damaged"):
        _ = list(store.events("echo-7"))
    Path(f"{tmp_path}-state/ei/runs/echo-7/run.json").write_text("{}")
    with pytest.raises(IntegrityError, match="is damaged"):
        _ = store.load("echo-7")


def test_a_log_that_is_too_long_is_kept_in_part() -> None:
    recorder = Recorder(max_entries=2)

    for number in range(3):
        recorder.add(bytes([0]) + number.to_bytes(8, "little") + bytes(9))

    assert (recorder.entries, recorder.is_whole) == (2, False)


def test_every_file_of_a_scenario_is_in_its_digest(tmp_path: Path) -> None:
    before = scenario_digest(load_scenario(write(tmp_path)))
    (tmp_path / "more.py").write_text("")

    assert scenario_digest(load_scenario(str(tmp_path))) != before
