import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.cli.conftest import LAB_TOPOLOGY, Run

from ei.cli.exits import Exit

SCRIPT = "import sys; from ei.cli import main; sys.exit(main())"


def test_ending_what_does_not_run_is_no_error(ei: Run) -> None:
    said = ei("lab", "down")

    assert said.code == Exit.OK
    assert said.out == "no lab 'default' runs\n"


@pytest.mark.slow
def test_who_named_a_lab_that_does_not_run_is_told_which_do(lab: Run) -> None:
    said = lab("lab", "down", "--lab", "another")

    assert said.out == "no lab 'another' runs\n"
    assert "ei lab down --lab default" in said.err


def test_no_name_makes_it_remove_what_is_not_a_labs(
    ei: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    monkeypatch.setenv("EI_LAB", "../../../mine")

    by_path = ei("lab", "down", "--lab", str(mine))
    by_variable = ei("lab", "down")

    assert (by_path.code, by_variable.code) == (Exit.ERROR, Exit.ERROR)
    assert mine.exists()


@pytest.mark.slow
def test_nothing_is_left_of_a_lab() -> None:
    with tempfile.TemporaryDirectory(prefix="ei-", dir="/tmp") as home:
        topology = Path(home) / "topology.toml"
        topology.write_text(LAB_TOPOLOGY)
        environ = {"XDG_STATE_HOME": home, "HOME": home, "PATH": "/usr/bin:/bin"}

        def ei(*words: str) -> dict[str, object]:
            command = [sys.executable, "-c", SCRIPT, "lab", *words, "--lab", "other", "--json"]
            said = subprocess.run(command, check=True, env=environ, capture_output=True)
            document = json.loads(said.stdout)
            assert isinstance(document, dict)
            return document

        assert ei("up", str(topology))["hosts"] == ["alice.isp-a", "bob.isp-b", "victim.isp-b"]

        document = ei("down")

        assert document["was_running"] is True
        assert document["left"] == {"processes": 0, "sockets": 0, "files": 0, "namespaces": 0}
        assert not (Path(home) / "ei" / "lab" / "other").exists()
