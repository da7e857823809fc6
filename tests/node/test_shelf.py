"""Modules that a node keeps: by digest, with which of them runs."""

from pathlib import Path

import pytest

from ei.errors import ConfigError, IntegrityError, NotFoundError
from ei.node.shelf import OF_FILE, Choice, Shelf, digest_of_folder
from ei.registry.package import digest_of, pack


def module(folder: Path, version: str) -> bytes:
    """Return the package of a module of this version."""
    made = folder / version / "counter"
    made.mkdir(parents=True)
    _ = (made / "manifest.toml").write_text(f'version = "{version}"\n')
    return pack(made)


def test_what_was_chosen_runs_also_after_a_restart(tmp_path: Path) -> None:
    package = module(tmp_path, "1")
    shelf = Shelf(tmp_path / "state")

    folder = shelf.keep("counter", package)
    shelf.choose("counter", digest_of(package))

    assert (folder / "manifest.toml").read_text() == 'version = "1"\n'
    again = Shelf(tmp_path / "state")
    assert again.choices == {"counter": Choice(digest_of(package), OF_FILE)}
    assert again.chosen("counter") == folder
    assert again.chosen("echo") is None


def test_the_version_before_is_kept_and_older_ones_are_not(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "state")
    packages = [module(tmp_path, str(number)) for number in range(4)]
    for package in packages:
        _ = shelf.keep("counter", package)
        shelf.choose("counter", digest_of(package))

    digests = [digest_of(package) for package in packages]
    assert shelf.choices["counter"] == Choice(digests[3], digests[2])
    kept = {path.name for path in (tmp_path / "state" / "modules").iterdir() if path.is_dir()}
    assert kept == {digest.removeprefix("sha256:") for digest in digests[2:]}


def test_to_go_back_is_to_change_places(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "state")
    package = module(tmp_path, "1")
    _ = shelf.keep("counter", package)
    shelf.choose("counter", digest_of(package))

    shelf.choose("counter", OF_FILE)

    assert shelf.choices["counter"] == Choice(OF_FILE, digest_of(package))
    assert shelf.chosen("counter") is None
    assert shelf.folder_of("counter", digest_of(package)).is_dir()


def test_what_somebody_has_changed_on_the_disk_does_not_run(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "state")
    package = module(tmp_path, "1")
    folder = shelf.keep("counter", package)
    shelf.choose("counter", digest_of(package))

    _ = (folder / "manifest.toml").write_text("version = 'mine'\n")

    with pytest.raises(NotFoundError, match="is not counter sha256:"):
        _ = shelf.chosen("counter")


def test_what_was_changed_on_the_disk_is_written_anew_when_it_is_given_again(
    tmp_path: Path,
) -> None:
    shelf = Shelf(tmp_path / "state")
    package = module(tmp_path, "1")
    folder = shelf.keep("counter", package)
    _ = (folder / "manifest.toml").write_text("version = 'mine'\n")

    assert shelf.keep("counter", package) == folder
    assert digest_of_folder(folder) == digest_of(package)


def test_what_was_halted_is_so_after_a_restart_and_nothing_else_is(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "state")

    shelf.halt("counter", digest_of(module(tmp_path, "1")), "it leaks")

    again = Shelf(tmp_path / "state")
    assert again.why_halted("counter", digest_of(module(tmp_path / "same", "1"))) == "it leaks"
    assert again.why_halted("counter", digest_of(module(tmp_path, "2"))) == ""
    assert again.why_halted("counter", OF_FILE) == ""


def test_what_is_chosen_is_not_halted_any_more(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "state")
    package = module(tmp_path, "1")
    _ = shelf.keep("counter", package)
    shelf.choose("counter", digest_of(package))
    shelf.halt("counter", digest_of(package), "it leaks")

    shelf.choose("counter", digest_of(package))

    assert Shelf(tmp_path / "state").why_halted("counter", digest_of(package)) == ""


def test_what_is_no_package_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        _ = Shelf(tmp_path).keep("counter", b"nonsense")

    (tmp_path / "modules").mkdir(exist_ok=True)
    _ = (tmp_path / "modules" / "running.json").write_text('{"counter": 1}')
    with pytest.raises(ConfigError, match="does not say which modules run"):
        _ = Shelf(tmp_path)


def test_a_folder_that_makes_no_package_has_no_digest(tmp_path: Path) -> None:
    assert digest_of_folder(tmp_path) == ""
    assert digest_of_folder(tmp_path / "nowhere") == ""
