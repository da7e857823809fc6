from pathlib import Path

from tests.cli.conftest import Run
from tests.cli.registry_of import GOVERNORS, done, identity

from ei.cli.exits import Exit


def keys(ei: Run) -> list[str]:
    for name in GOVERNORS:
        done(ei("key", "new", f"{name}.key"))
    return [identity(ei, name) for name in GOVERNORS]


def test_a_new_registry_waits_for_its_governors(ei: Run, tmp_path: Path) -> None:
    said = done(ei("registry", "init", *keys(ei), "--threshold", "2"))

    assert "2 of 3 keys govern" in said.out
    assert "nobody would see" in said.err
    assert "ei registry approve --key FILE, by 2 of them" in said.err
    assert (tmp_path / "registry" / "public" / "drafts" / "root.json").exists()
    assert ei("registry", "log").code == Exit.CONFLICT


def test_what_could_never_begin_is_refused(ei: Run, tmp_path: Path) -> None:
    all_keys = keys(ei)

    assert ei("registry", "init", *all_keys, "--threshold", "4").code == Exit.ERROR
    assert ei("registry", "init", all_keys[0], all_keys[0], "--threshold", "1").code == Exit.ERROR
    assert ei("registry", "init", "abc", "--threshold", "1").code == Exit.ERROR
    witness = ("--witness", "x+00000000+AAAA")
    assert ei("registry", "init", *all_keys, "--threshold", "2", *witness).code == Exit.ERROR
    assert not (tmp_path / "registry").exists()
