"""What `ei module bench` says."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_without_a_folder_it_measures_filter_in_python_and_in_webassembly() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ei", "module", "bench", "--runs", "1", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    document = json.loads(done.stdout)
    assert document["schema"] == "ei.bench/1"
    assert document["repeat"] == "ei module bench --runs 1"
    assert [row["name"] for row in document["figures"]] == [
        "filter (python), packets decided in its jail",
        "filter (python), its jail costs",
        "filter_wasm (wasm), packets decided in its jail",
        "filter_wasm (wasm), its jail costs",
    ]
    assert [row["unit"] for row in document["figures"]] == ["packets/s", "%"] * 2


def test_what_is_no_module_is_said() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ei", "module", "bench", "nowhere"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode
    assert "nowhere/manifest.toml" in done.stderr
