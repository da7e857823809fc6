"""What a process has used."""

import os
import subprocess
import sys

from ei.daemons.usage import usage_of


def test_this_process_has_used_some_of_both() -> None:
    usage = usage_of(os.getpid())

    assert usage is not None
    assert usage.cpu_s > 0
    assert 1_000_000 < usage.memory_bytes < 100_000_000_000


def test_a_process_that_is_gone_has_used_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    _ = gone.wait()

    assert usage_of(gone.pid) is None
