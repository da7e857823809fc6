"""What `ei module bench` measures are packets that a module did decide, in a jail and without."""

import subprocess
import sys
from pathlib import Path

import pytest

from ei.bench.module import EXAMPLES, JAIL_LIMIT_PERCENT
from ei.sdk import load_manifest

PROGRAM = """
import sys
from pathlib import Path
from ei.bench.module import module
for figure in module([Path(place) for place in sys.argv[1:]], runs=1, seconds=0.05):
    print(figure.name, figure.status, figure.measured > 0, figure.baseline, figure.limit, sep="|")
"""
"""A nursery is forked by a process that has no threads."""


def said(*folders: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, folders)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_examples_are_one_service_in_two_languages() -> None:
    manifests = [load_manifest(folder) for folder in EXAMPLES]

    assert [manifest.engine for manifest in manifests] == ["python", "wasm"]
    assert manifests[0].summary == manifests[1].summary


@pytest.mark.slow
def test_each_module_has_its_rate_and_what_its_jail_costs() -> None:
    done = said(*EXAMPLES)

    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [
        "filter (python), packets decided in its jail",
        "filter (python), its jail costs",
        "filter_wasm (wasm), packets decided in its jail",
        "filter_wasm (wasm), its jail costs",
    ]
    assert [row[2] for row in rows[::2]] == ["True"] * 2
    assert [float(row[3]) > 0 for row in rows[::2]] == [True] * 2
    assert {row[4] for row in rows[1::2]} == {str(JAIL_LIMIT_PERCENT)}


@pytest.mark.slow
def test_a_module_that_fails_has_no_figure(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(
        'id = 0xF0000001\nname = "broken"\nversion = "0.1.0"\nsummary = "Raises."\n'
    )
    _ = (folder / "service.py").write_text(
        "from ei.sdk import Service\n\n\nclass Broken(Service[None]):\n    __slots__ = ()\n\n"
        "    def on_packet(self, event, ctx):\n        raise ValueError\n\n\nSERVICE = Broken\n"
    )

    done = said(folder)

    assert done.returncode
    assert "broken (python) answers a packet of 512 B" in done.stderr
    assert "service_error" in done.stderr
