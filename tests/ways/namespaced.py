"""The fixture `enclosed`: programs in a namespace, before the world of `enclosed.py`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Enclosed = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
NOBODY = 65_534
USERS = {
    "root": (),
    "nobody": ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
}
PYTHON = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
"""One that every user may run."""
ENVIRON = {
    **os.environ,
    "PYTHONPATH": f"{ROOT}/src:{ROOT}",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@pytest.fixture(params=USERS)
def enclosed(request: pytest.FixtureRequest) -> Enclosed:
    """Runs a program in a namespace of root, then in one of a user without rights."""
    user = USERS[request.param]
    if os.geteuid() != 0 and user:
        pytest.skip("only root can become another user")

    if subprocess.run([*user, sys.executable, "-c", ""], check=False).returncode != 0:
        pytest.skip("this Python is not for every user")

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*user, sys.executable, "-m", "tests.ways.enclosed", *command],
            cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
        if "gives no namespace" in done.stderr:
            pytest.skip("this system gives no namespace to its users")
        return done

    return run
