import io
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

pytestmark = pytest.mark.slow


@pytest.fixture
def recorded(ei: Run) -> Run:
    assert ei("lab", "run", "echo", "--seed", "7").code == Exit.OK
    return ei


def test_a_run_is_replayed_from_its_seed(recorded: Run) -> None:
    said = recorded("lab", "replay", "echo-7", "--json")

    assert said.code == Exit.OK
    assert said.document["schema"] == "ei.lab-replay/1"
    assert (said.document["is_equal"], said.document["program_changed"]) == (True, False)
    assert said.document["difference"] is None


def test_what_one_node_saw_is_a_table(recorded: Run) -> None:
    said = recorded("lab", "replay", "echo-7", "--node", "alice", "--until", "2s", "--lines", "4")

    header, *lines, verdict = said.out.splitlines()
    assert header.split() == ["s", "from", "to", "B", "what", "fate"]
    assert len(lines) == 4
    assert all("alice.isp-a" in line for line in lines)
    assert "events are as recorded" in verdict
    assert said.widest <= 80


def test_events_come_one_by_one_until_it_is_ended(
    recorded: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\nq\n"))

    said = recorded("lab", "replay", "echo-7", "--step")

    assert len(said.out.splitlines()) == 3
    assert "2 of " in said.out.splitlines()[-1]
    assert recorded("lab", "replay", "echo-7", "--step", "--json").code == Exit.ERROR


def test_what_has_changed_is_said_and_where_it_shows(ei: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "topology.toml").write_text(
        'version = 1\nservices = ["delivery"]\n[domains.d.nodes.n]\n'
        '[domains.d.hosts.a]\nnodes = ["n"]\n[domains.d.hosts.b]\nnodes = ["n"]\n'
    )
    script = (
        '"""Mine."""\nfrom ei.lab.promises import promise\nasync def run(lab):\n'
        '    _ = await lab.host("a").ping("b.d")\n    yield promise("x", 1, "==", 1)\n'
    )
    (folder / "scenario.py").write_text(script)
    assert ei("lab", "run", str(folder)).code == Exit.OK
    (folder / "scenario.py").write_text(script.replace('"a"', '"b"').replace('"b.d"', '"a.d"'))

    said = ei("lab", "replay", "mine-1")

    assert said.code == Exit.NEGATIVE
    assert "the scenario has changed" in said.err
    assert "is not as recorded" in said.out
    assert "recorded: " in said.out


def test_runs_are_listed_and_suggested(recorded: Run) -> None:
    assert "echo-7" in recorded("lab", "replay").out
    said = recorded("lab", "replay", "echo-8")

    assert said.code == Exit.NEGATIVE
    assert "echo-7" in said.err


def test_of_many_runs_none_is_kept_that_kept_its_promises(ei: Run) -> None:
    assert ei("lab", "run", "echo", "--repeat", "2").code == Exit.OK

    assert ei("lab", "replay").out == "no run is kept\n"
