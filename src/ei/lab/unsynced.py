"""Writes that were not synced are lost when their process is killed, as by a power failure.

`kill -9` alone loses nothing that reached the system: its cache outlives the process. A small
library that is preloaded (`unsynced.c`) makes it lose what no sync has put on the disk, for the
files below one folder, such as the stores of a node. It is undone when the file is next opened
under the library, so the process that is started again needs the same environment.

    environ = os.environ | losing(folder_of_the_node, build=scratch)
"""

import hashlib
import os
import subprocess
from pathlib import Path

from ei.errors import LocalError, NotFoundError

SOURCE = Path(__file__).with_suffix(".c")
COMPILER = ("cc", "-std=gnu11", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra")
PRELOAD = "LD_PRELOAD"


def losing(folder: Path, *, build: Path, is_lying: bool = False) -> dict[str, str]:
    """Return what the environment of a process needs so that what it did not sync is lost.

    Args:
        folder: What it writes below is meant; exists. One process a file.
        build: Where the library is kept, and compiled when it is not there yet; exists.
        is_lying: No sync counts. Whoever acknowledges by it must be seen to lose.

    Raises:
        NotFoundError: There is no C compiler.
        LocalError: It does not compile.
    """
    loaded = os.environ.get(PRELOAD, "").split()
    library = str(compile_library(build))
    return {
        PRELOAD: " ".join([library, *(each for each in loaded if each != library)]),
        "EI_UNSYNCED": str(folder.resolve()),
        "EI_UNSYNCED_SYNC": "0" if is_lying else "1",
    }


def compile_library(build: Path) -> Path:
    """Return the library, named after what it was made of.

    Raises:
        NotFoundError, LocalError: As `losing`.
    """
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    library = build.resolve() / f"unsynced-{digest}.so"
    if library.exists():
        return library
    made = library.with_suffix(f".{os.getpid()}")
    try:
        done = subprocess.run(
            [*COMPILER, "-o", str(made), str(SOURCE), "-ldl", "-pthread"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise NotFoundError(
            "no C compiler: cc was not found", remedy="Install one: sudo apt-get install gcc"
        ) from None
    if done.returncode != 0:
        raise LocalError(f"{SOURCE.name} does not compile: {done.stderr.strip()}")
    return made.rename(library)
