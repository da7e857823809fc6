"""What is made of the version before this one, and when its native module is built."""

import subprocess
from pathlib import Path

import pytest
from tools.previous import MODULE, NAMED, make_previous

from ei.errors import NotFoundError

pytestmark = pytest.mark.slow


class Clone:
    """A clone of its own with one commit, and what was built for it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.builds: list[Path] = []
        self.write("src/ei/version", "first")
        self.write("rust/core/src/lib.rs", "first")
        self.write("Cargo.toml", "")
        self.write("Cargo.lock", "")
        self.git("init", "-q")
        self.git("add", ".")
        self.git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first")
        self.name(self.git("rev-parse", "HEAD").strip())
        self.write(MODULE, "ours")

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        _ = (self.root / path).write_text(text)

    def name(self, commit: str) -> None:
        self.write(NAMED, f'version = "1"\ncommit = "{commit}"\n')

    def make(self) -> Path:
        return make_previous(self.root, build=self.build)

    def build(self, tree: Path, target: Path) -> Path:
        self.builds.append(tree)
        target.mkdir(exist_ok=True)
        _ = (target / "built.so").write_text(f"of {(tree / 'rust/core/src/lib.rs').read_text()}")
        return target / "built.so"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_its_tree_is_that_of_the_commit_whatever_has_changed_since(clone: Clone) -> None:
    clone.write("src/ei/version", "second")

    tree = clone.make()

    assert (tree / "src/ei/version").read_text() == "first"
    assert tree.is_relative_to(clone.root / "build")


def test_while_native_sources_are_the_same_its_module_is_ours_as_it_is_now(clone: Clone) -> None:
    _ = clone.make()
    clone.write(MODULE, "ours, built again")

    tree = clone.make()

    assert (tree / MODULE).read_text() == "ours, built again"
    assert not clone.builds


def test_when_native_sources_have_changed_its_own_are_built_and_once(clone: Clone) -> None:
    clone.write("rust/core/src/lib.rs", "second")

    trees = {clone.make(), clone.make()}

    assert clone.builds == list(trees)
    assert (clone.builds[0] / MODULE).read_text() == "of first"


def test_a_clone_without_its_history_says_the_command_that_fetches_it(clone: Clone) -> None:
    clone.name("0123456789abcdef" * 2)

    with pytest.raises(NotFoundError, match="commit 0123456789ab, is not in this clone") as caught:
        _ = clone.make()

    assert caught.value.remedy == "git fetch --unshallow"
