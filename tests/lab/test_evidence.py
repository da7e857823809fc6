"""What a process has in memory, in its words and in its files is read as it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ei.errors import DeniedError
from ei.lab.canaries import bytes_canary, find_canaries
from ei.lab.evidence import files_below, read_file, read_memory, regions_of, words_of

SECRET = bytes(range(90, 120))
HOLDER = "import sys; held = bytes(range(90, 120)); print('ready', flush=True); sys.stdin.read()"
MAPS = """\
55d0c000-55d0d000 r-xp 00001000 08:01 42 /usr/bin/python3
55d0e000-55d0f000 rw-p 00002000 08:01 42 /usr/bin/python3
55d10000-55d20000 rw-p 00000000 00:00 0 [heap]
7f000000-7f001000 rw-p 00000000 00:00 0
7f002000-7f003000 ---p 00000000 00:00 0
7f004000-7f005000 r--p 00000000 00:00 0 [vvar]
7f006000-7f007000 rw-s 00000000 00:01 9 /memfd:ring (deleted)
"""


def test_only_what_a_process_can_have_written_is_read() -> None:
    names = [region.name for region in regions_of(MAPS)]

    assert names == ["/usr/bin/python3", "[heap]", "anonymous", "/memfd:ring (deleted)"]
    assert regions_of(MAPS)[0].start == 0x55D0E000


@pytest.mark.slow
def test_what_a_process_holds_is_found_in_its_memory() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        canary = bytes_canary("payload", "secret", SECRET)
        try:
            hits = [
                hit
                for _, chunks in read_memory(process.pid)
                for hit in find_canaries([canary], chunks)
            ]
        except DeniedError as error:
            pytest.skip(str(error))
        finally:
            process.kill()

    assert {hit.form for hit in hits} == {"bytes"}


def test_a_process_that_is_gone_has_nothing() -> None:
    with pytest.raises(ProcessLookupError):
        _ = list(read_memory(2**22 + 1))
    assert words_of(2**22 + 1) == {"environment": b"", "command line": b""}


def test_the_words_of_a_process_are_its_environment_and_command_line() -> None:
    words = words_of(os.getpid())

    assert b"PATH=" in words["environment"]
    assert b"python" in words["command line"] or b"pytest" in words["command line"]


def test_files_are_found_below_folders_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    _ = (tmp_path / "a/store.db-wal").write_bytes(b"wal")
    (tmp_path / "b").symlink_to("/etc/hostname")

    assert files_below([tmp_path]) == [tmp_path / "a/store.db-wal"]
    assert list(read_file(tmp_path / "a/store.db-wal")) == [(0, b"wal")]
    assert list(read_file(tmp_path / "gone")) == []
