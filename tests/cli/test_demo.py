import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.lab.census import marked_processes
from ei.lab.run_folder import LabFile, RunFolder

SCRIPT = "import sys; from ei.cli import main; sys.exit(main())"


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_the_demo_keeps_all_its_promises_in_a_minute_and_leaves_its_report() -> None:
    with tempfile.TemporaryDirectory(prefix="ei-", dir="/tmp") as home:
        command = [sys.executable, "-c", SCRIPT, "demo", "--json", "--report", f"{home}/demo.html"]
        environ = {"XDG_STATE_HOME": home, "HOME": home, "PATH": "/usr/bin:/bin"}

        said = subprocess.run(command, check=False, env=environ, capture_output=True, text=True)
        report = Path(home, "demo.html").read_text()

    assert said.returncode == Exit.OK, said.stderr
    document = msgspec.json.decode(said.stdout, type=dict[str, object])
    assert document["schema"] == "ei.promises/1"
    assert document["report"] == f"{home}/demo.html"
    assert "<html" in report


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_whatever_ends_the_demo_ends_its_internet(number: signal.Signals) -> None:
    with tempfile.TemporaryDirectory(prefix="ei-", dir="/tmp") as home:
        environ = {"XDG_STATE_HOME": home, "HOME": home, "PATH": "/usr/bin:/bin"}
        # Whoever runs the tests by nohup has them all ignore SIGHUP.
        command = ["env", "--default-signal=HUP", sys.executable, "-c", SCRIPT, "demo"]
        demo = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
        folder = RunFolder(Path(home, "ei", "lab", f"demo-{demo.pid}"))
        lab = until_daemons_run(folder)

        demo.send_signal(number)
        code = demo.wait()

        assert code == {signal.SIGKILL: -signal.SIGKILL}.get(number, 128 + number)
        while folder.path.exists() or marked_processes(lab.run_id):
            os.sched_yield()


def until_daemons_run(folder: RunFolder) -> LabFile:
    while not list(folder.path.glob("*/admin.sock")):
        os.sched_yield()
    return folder.read()


def test_a_file_that_is_not_there_is_said(ei: Run) -> None:
    said = ei("demo", "--file", "nowhere.bin")

    assert said.code != Exit.OK
    assert "nowhere.bin" in said.err
