"""What is not synced is lost with a process that is killed, and nothing else; nodes run with it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from tests.node.conftest import RunningNode, node_file

from ei.lab.unsynced import compile_library, losing

__all__ = ["node_file"]
pytestmark = pytest.mark.slow

KILLED = "\nos.kill(os.getpid(), 9)"
HEAD = "import os, sqlite3, sys\nfrom pathlib import Path\nhere = Path(sys.argv[1])\n"
STORE = """
from ei.runtime.stores.sqlite import SqliteStore
from ei.runtime.undo import UndoLog
store = SqliteStore(here / "store", limit_bytes=1 << 24)
def add(key):
    store.begin(0.0, UndoLog()); store.put(key, b"x" * 5_000); store.commit()
def keys():
    return [int(key) for key, _ in store.scan(b"")]
"""


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the library is kept."""
    return tmp_path_factory.mktemp("library")


@pytest.fixture
def run(tmp_path: Path, build: Path) -> Callable[..., str]:
    """Run Python under the library, below a folder `kept`; return what it prints."""
    folder = tmp_path / "kept"
    folder.mkdir()

    def run_one(code: str, *, is_lying: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, "-", str(folder)],
            input=HEAD + code,
            env=os.environ | losing(folder, build=build, is_lying=is_lying),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, -9), done.stderr
        return done.stdout.strip()

    return run_one


WRITE = 'fd = os.open(here / "file", os.O_RDWR | os.O_CREAT)\n'
READ = 'print((here / "file").read_text())'


KEPT = 'os.write(fd, b"kept"); os.fsync(fd)\n'
AWAY = 'os.rename(here / "file", here / "n"); os.rename(here / "n", here / "file")\n'


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ('os.write(fd, b"lost")', ""),
        (KEPT + 'os.write(fd, b" and lost")', "kept"),
        ('os.write(fd, b"kept"); os.fdatasync(fd); os.pwrite(fd, b"lost", 0)', "kept"),
        (KEPT + 'os.pwrite(fd, b"LO", 1); os.pwrite(fd, b"x", 1)', "kept"),
        (KEPT + 'os.ftruncate(fd, 1); os.pwrite(fd, b"lost", 1)', "kept"),
        (KEPT + '(here / "file").write_text("lost, cut")', "kept"),
        (KEPT + 'os.lseek(fd, 0, 0); os.writev(fd, [b"lo", b"st"])', "kept"),
        (KEPT + 'os.close(fd); (here / "file").open("a").write("lost")', "kept"),
        (KEPT + 'os.unlink(here / "file"); (here / "file").write_text("lost")', ""),
        (KEPT + AWAY + 'os.write(fd, b"lost")', "kept"),
    ],
)
def test_what_was_not_synced_is_lost(run: Callable[..., str], code: str, left: str) -> None:
    run(WRITE + code + KILLED)

    assert run(READ) == left


def test_a_process_that_ends_by_itself_keeps_what_it_wrote(run: Callable[..., str]) -> None:
    run(WRITE + 'os.write(fd, b"kept")')

    assert run(READ) == "kept"


def test_a_living_writer_is_left_alone(run: Callable[..., str]) -> None:
    code = 'import subprocess\nos.write(fd, b"here")\nprint(subprocess.run([sys.executable, "-c",'
    code += f" {HEAD + READ!r}, str(here)], capture_output=True, text=True).stdout)"

    assert run(WRITE + code) == "here"


def test_any_writes_and_syncs_leave_what_was_there_at_the_last_sync(
    run: Callable[..., str],
) -> None:
    random = Random(5)
    lines: list[str] = []
    now, last = bytearray(), b""
    for _ in range(300):
        at, size = random.randrange(len(now) + 1), random.randrange(1, 400)
        match random.randrange(8):
            case 0:
                last = bytes(now)
                lines.append("os.fsync(fd)")
            case 1:
                del now[at:]
                lines.append(f"os.ftruncate(fd, {at})")
            case _:
                piece = random.randbytes(size)
                now[at : at + size] = piece
                lines.append(f"os.pwrite(fd, {piece!r}, {at})")

    run(WRITE + "\n".join(lines) + KILLED)

    assert run('print((here / "file").read_bytes().hex())') == last.hex()


def test_a_store_has_all_that_it_committed_and_nothing_else(run: Callable[..., str]) -> None:
    adding = 'for number in range(400): add(b"%d" % number)\n'
    begun = "store._file.execute('BEGIN'); store._file.execute('DELETE FROM entries')"

    run(STORE + adding + begun + KILLED)
    again = run(STORE + "print(sorted(keys()) == list(range(400)))" + KILLED)

    assert again == "True"
    assert run(STORE + "print(store._file.execute('PRAGMA integrity_check').fetchone()[0])") == "ok"


def test_a_store_whose_syncs_lie_is_seen_to_lose(run: Callable[..., str]) -> None:
    run(STORE + 'for number in range(50): add(b"%d" % number)' + KILLED, is_lying=True)

    assert run(STORE + "print(keys())") == "[]"


def test_a_store_that_does_not_sync_is_seen_to_lose(run: Callable[..., str]) -> None:
    unsafe = "store._file.execute('PRAGMA synchronous = OFF')\n"

    run(STORE + unsafe + 'for number in range(50): add(b"%d" % number)' + KILLED)

    assert run(STORE + "print(len(keys()) < 50)") == "True"


def test_a_node_runs_and_is_killed_and_runs_again(
    node_file: Path, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in losing(node_file.parent, build=build).items():
        monkeypatch.setenv(name, value)
    for _ in range(2):
        running = RunningNode(node_file)
        running.wait_ready()
        pids = running.pids()
        running.process.kill()
        running.hang_up()
        assert running.end() == -9
        assert pids


def test_it_is_compiled_once(build: Path) -> None:
    first = compile_library(build)
    was = first.stat().st_mtime_ns

    assert compile_library(build) == first
    assert first.stat().st_mtime_ns == was
