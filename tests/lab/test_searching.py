"""A job is done in a process of its own: what processes hold and folders have is found."""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ei.errors import LocalError
from ei.lab.canaries import text_canary
from ei.lab.searching import Job, look_through, searching

HOLDER = "import sys; held = sys.stdin.readline(); print('ready', flush=True); sys.stdin.read()"


@contextmanager
def holding(secret: str) -> Iterator[int]:
    """Run a program that is not ours and has the secret in memory."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        _ = process.stdin.write(f"{secret}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.kill()


@pytest.mark.slow
def test_what_a_program_holds_and_its_folder_has_is_found(tmp_path: Path) -> None:
    held, kept = secrets.token_hex(12), secrets.token_hex(12)
    _ = (tmp_path / "kept").write_text(kept)
    canaries = (text_canary("payload", "held", held), text_canary("target", "kept", kept))

    with holding(held) as pid:
        job = Job("target", (pid, 2**22 + 1), (str(tmp_path),), canaries)
        looked = asyncio.run(searching(job))

    assert looked.facts == ("target", "payload") or looked.missing
    assert looked.where("target") == (f"kept (utf-8) in file {tmp_path / 'kept'} at 0",)
    assert {place.kind for place in looked.places} == {
        "memory", "environment", "command line", "file",
    }  # fmt: skip


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    looked = look_through(Job("target", (), (str(tmp_path),), ()))

    assert "tables of the kernel" in dict(looked.excluded)


@pytest.mark.slow
def test_a_job_that_cannot_be_done_says_why() -> None:
    job = Job("nobody", (), (), ())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    with pytest.raises(LocalError, match="looking at nobody: msgspec"):
        _ = asyncio.run(searching(job))
