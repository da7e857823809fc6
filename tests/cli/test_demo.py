import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

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
    assert "<html" in report


def test_a_file_that_is_not_there_is_said(ei: Run) -> None:
    said = ei("demo", "--file", "nowhere.bin")

    assert said.code != Exit.OK
    assert "nowhere.bin" in said.err
