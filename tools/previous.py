"""The version before this one, in `build/previous`: D11 is tested with both side by side.

`make previous` makes it, as do the tests when they find none. Its commit, which is named in
`tests/versions/previous.toml`, comes from the history of this clone. Its native module is ours
while the sources of both are the same; else it is built, once, which takes a minute or two.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

from ei.errors import NotFoundError

ROOT = Path(__file__).parents[1]
NAMED = "tests/versions/previous.toml"
SOURCES = ("Cargo.lock", "Cargo.toml", "rust", "src")
NATIVE_SOURCES = ("Cargo.lock", "Cargo.toml", "rust/*/Cargo.toml", "rust/*/src/*")
MODULE = "src/ei/_core.abi3.so"
PROFILE = "release"
"""As our own."""

Build = Callable[[Path, Path], Path]
"""Builds the native module of a tree, with a folder for what cargo makes; returns where it is."""


def make_previous(root: Path, *, build: Build | None = None) -> Path:
    """Return the tree of the version before the one at `root`, complete.

    Args:
        build: Of its native module; by default cargo.

    Raises:
        NotFoundError: the clone has not got that commit.
        CalledProcessError: it cannot be built.
    """
    commit = str(tomllib.loads((root / NAMED).read_text())["commit"])
    if _git(root, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
        raise NotFoundError(
            f"the version before this one, commit {commit[:12]}, is not in this clone",
            remedy="git fetch --unshallow",
        )
    place = root / "build" / "previous"
    tree = place / commit[:12]
    if not tree.exists():
        _extract(root, commit, tree)
    module = _native_module(root, commit, tree, build or _build)
    # Another file, not other bytes in this one: a process may have it loaded.
    (tree / MODULE).unlink(missing_ok=True)
    _ = shutil.copy2(module, tree / MODULE)
    return tree


def _native_module(root: Path, commit: str, tree: Path, build: Build) -> Path:
    """Return a native module of the previous sources: ours, one from before, or a new one."""
    if not _git(root, "diff", "--quiet", commit, "--", *NATIVE_SOURCES).returncode:
        return root / MODULE
    kept = tree.with_suffix(".so")
    if not kept.exists():
        # Not our own: crates of the same names would take one another's place there.
        built = build(tree, tree.parent / "target")
        _ = Path(shutil.copy2(built, kept.with_suffix(".new"))).rename(kept)
    return kept


def _extract(root: Path, commit: str, tree: Path) -> None:
    """Write the sources of a commit; half of them are never found at `tree`."""
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tree.parent) as folder:
        archive = Path(folder) / "tar"
        written = _git(root, "archive", f"--output={archive}", commit, *SOURCES)
        written.check_returncode()
        with tarfile.open(archive) as content:
            content.extractall(Path(folder) / "tree", filter="data")
        _ = (Path(folder) / "tree").rename(tree)


def _build(tree: Path, target: Path) -> Path:
    command = ["cargo", "build", "--locked", "-p", "ei-core", "--profile", PROFILE]
    _ = subprocess.run([*command, "--target-dir", target], cwd=tree, check=True)
    return target / PROFILE / "lib_core.so"


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)


def main() -> int:
    """Make it; a clone without its history gets none, which is said and is no error."""
    try:
        tree = make_previous(ROOT)
    except NotFoundError as error:
        print(f"SKIPPED; to have D11 tested: {error.remedy} ({error})")
        return 0
    print(tree.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
