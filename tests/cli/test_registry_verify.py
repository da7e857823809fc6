from pathlib import Path

from tests.cli.conftest import Run
from tests.cli.registry_of import approve, begun, done, published, witnessed

from ei.cli.exits import Exit


def test_a_registry_that_goes_back_is_refused_with_the_word(ei: Run, tmp_path: Path) -> None:
    begun(ei)
    stamp = tmp_path / "registry" / "public" / "metadata" / "timestamp.json"
    old = stamp.read_bytes()
    _ = published(ei)
    witnessed(ei)
    done(approve(ei, "anne", "bert", release="hello@0.1.0"))
    done(ei("registry", "verify", "--state", "node"))
    _ = stamp.write_bytes(old)

    said = ei("registry", "verify", "--state", "node")

    assert said.code == Exit.INTEGRITY
    assert "rollback: timestamp.json has version" in said.err


def test_a_root_of_another_registry_does_not_lead_here(ei: Run, tmp_path: Path) -> None:
    begun(ei)
    done(ei("registry", "init", "11" * 32, "--threshold", "1", "--registry", "other"))
    root = tmp_path / "other" / "public" / "drafts" / "root.json"

    assert ei("registry", "verify", "--root", str(root)).code == Exit.INTEGRITY


def test_a_folder_that_was_changed_is_no_release(ei: Run, tmp_path: Path) -> None:
    begun(ei)
    _ = published(ei)
    witnessed(ei)
    done(approve(ei, "anne", "bert", release="hello@0.1.0"))
    assert ei("registry", "verify", "--module", "hello").code == Exit.OK

    with (tmp_path / "hello" / "service.py").open("a") as file:
        _ = file.write("# a backdoor\n")

    said = ei("registry", "verify", "--module", "hello")
    assert said.code == Exit.NEGATIVE
    assert "hello is no approved release" in said.out
