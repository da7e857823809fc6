from pathlib import Path

from tests.cli.conftest import Run
from tests.cli.registry_of import done

from ei.cli.exits import Exit


def test_package_and_signature_are_written_beside_the_module(ei: Run, tmp_path: Path) -> None:
    done(ei("key", "new", "author.key"))
    done(ei("module", "new", "hello"))

    one = done(ei("module", "sign", "hello", "--key", "author.key", "--json")).document
    two = done(ei("module", "sign", "hello", "--key", "author.key", "--json")).document

    assert one == two, "what was written is not in the next package"
    assert (tmp_path / "hello" / "hello-0.1.0.eim").stat().st_size == one["size_bytes"]
    assert (tmp_path / "hello" / "hello-0.1.0.signed.json").is_file()


def test_a_bundle_is_signed_if_its_chain_has_no_fault(ei: Run, tmp_path: Path) -> None:
    done(ei("key", "new", "author.key"))
    head = 'id = 0xF0000009\nname = "small"\nversion = "1.0.0"\nsummary = "Small."\n'
    folder = tmp_path / "small"
    folder.mkdir()
    bundle = folder / "bundle.toml"
    rows = '[[services]]\nname = "compression"\n[[services]]\nname = "delivery"\n'
    _ = bundle.write_text(head + rows)

    good = ei("module", "sign", "small", "--key", "author.key")
    _ = bundle.write_text(head + rows.replace("compression", "nothing"))
    bad = ei("module", "sign", "small", "--key", "author.key")

    assert good.code == Exit.OK, good.err
    assert bad.code == Exit.ERROR
    assert "bundle.toml:" in bad.err


def test_a_folder_that_is_no_module_is_not_signed(ei: Run, tmp_path: Path) -> None:
    done(ei("key", "new", "author.key"))
    (tmp_path / "empty").mkdir()

    said = ei("module", "sign", "empty", "--key", "author.key")
    assert said.code == Exit.ERROR
    assert "ei module new" in said.err
    done(ei("module", "new", "hello"))
    manifest = tmp_path / "hello" / "manifest.toml"
    _ = manifest.write_text(f"nonsense = 1\n{manifest.read_text()}")
    assert "nonsense: unknown field" in ei("module", "sign", "hello", "--key", "author.key").err
