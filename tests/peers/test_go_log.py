"""The libraries of Go's checksum database verify a log of ours."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.registry.test_logged import KEYS, TRUST
from tests.registry.world import WITNESSES

from ei.registry.disk import FolderMap
from ei.registry.ledger import Ledger
from ei.registry.notes import Checkpoint, cosign

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # Go compiles

SOURCE = Path(__file__).with_name("log_reader.go")
LIBRARY = "src/cmd/vendor/golang.org/x/mod"
"""Part of Go's own sources, so that nothing is fetched."""


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled."""
    if shutil.which("go") is None:
        pytest.skip("needs Go: https://go.dev/dl")
    folder = tmp_path_factory.mktemp("go")
    asked = subprocess.run(["go", "env", "GOROOT"], check=True, capture_output=True, text=True)
    library = folder / "mod"
    _ = shutil.copytree(Path(asked.stdout.strip()) / LIBRARY, library)
    _ = (library / "go.mod").write_text("module golang.org/x/mod\n\ngo 1.22\n")
    _ = (folder / "go.mod").write_text(
        "module reader\n\ngo 1.22\n\nrequire golang.org/x/mod v0.0.0\n\n"
        "replace golang.org/x/mod => ./mod\n"
    )
    _ = shutil.copy(SOURCE, folder / "main.go")
    _ = subprocess.run(["go", "build", "-o", "reader", "."], check=True, cwd=folder)
    return folder / "reader"


@pytest.fixture
def log(tmp_path: Path) -> tuple[FolderMap, Checkpoint]:
    """A log of 300 entries that two witnesses have cosigned, and what it was with 7."""
    files = FolderMap(tmp_path / "log")
    ledger = Ledger(files, TRUST)
    ledger.begin(KEYS)
    small = ledger.newest()[1]
    for number in range(300):
        _ = ledger.append(b"entry %d" % number, KEYS)
        if number == 6:
            small = ledger.newest()[1]
    text = ledger.newest()[0].text
    _ = ledger.take([cosign(text, WITNESSES[n], f"w/{n}", unix_s=1) for n in (0, 1)])
    return files, small


def ran(
    reader: Path, folder: Path, index: int, old: Checkpoint
) -> subprocess.CompletedProcess[str]:
    words = [str(TRUST.key), str(index), str(old.size), base64.b64encode(old.root).decode()]
    return subprocess.run([reader, folder, *words], capture_output=True, text=True, check=False)


def test_go_finds_an_entry_and_that_the_log_goes_on(
    reader: Path, log: tuple[FolderMap, Checkpoint], tmp_path: Path
) -> None:
    for index in (0, 255, 256, 299):
        said = ran(reader, tmp_path / "log", index, log[1])
        assert said.stdout == f"entry {index}\n", said.stderr


def test_go_refuses_what_we_refuse(
    reader: Path, log: tuple[FolderMap, Checkpoint], tmp_path: Path
) -> None:
    files, small = log
    assert ran(reader, tmp_path / "log", 0, Checkpoint(small.origin, 7, bytes(32))).returncode == 1
    tile = "tile/0/001.p/44"
    files[tile] = files[tile][:-1] + b"x"
    assert ran(reader, tmp_path / "log", 299, small).returncode == 1
