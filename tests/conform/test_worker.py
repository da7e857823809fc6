"""The process of `apart.py`; what it does is tested there."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from ei.runtime.worker import WorkerOrder


def test_who_cannot_run_says_why_and_ends(tmp_path: Path) -> None:
    order = WorkerOrder(folder=str(tmp_path), node=bytes(16), seed=b"1", store="")

    ended = subprocess.run(
        [sys.executable, "-m", "ei.conform.worker", str(os.getpid()), "1"],
        input=msgspec.msgpack.encode(order),
        capture_output=True,
        check=False,
    )

    assert ended.returncode == 2
    assert b"manifest.toml" in ended.stdout
