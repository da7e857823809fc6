import shutil
from pathlib import Path

from tests.cli.conftest import Run
from tests.cli.registry_of import begun, done, published, witness

from ei.cli.exits import Exit
from ei.registry.notes import parse_key


def test_its_key_is_shown_for_the_registry(ei: Run) -> None:
    done(ei("key", "new", "w0.key"))

    assert parse_key(done(witness(ei, "w0", "--show")).out.strip()).name == "w0.test"


def test_two_histories_are_not_both_cosigned(ei: Run, tmp_path: Path) -> None:
    begun(ei)
    _ = shutil.copytree(tmp_path / "registry", tmp_path / "other")
    _ = published(ei)
    done(witness(ei, "w0"))
    _ = (tmp_path / "hello" / "service.py").write_text('"""Another."""\n')
    done(ei("module", "sign", "hello", "--key", "author.key", "--registry", "other"))
    done(ei("module", "publish", "hello", "--registry", "other"))

    said = witness(ei, "w0", "--registry", "other")

    assert said.code == Exit.INTEGRITY
    assert "does not go on from the 1 entries that this witness has seen" in said.err
