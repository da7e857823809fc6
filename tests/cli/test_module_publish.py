import json
from pathlib import Path

from tests.cli.conftest import Run
from tests.cli.registry_of import begun, done, published

from ei.cli.exits import Exit


def test_a_release_is_submitted_and_logged(ei: Run) -> None:
    begun(ei)

    said = published(ei).document
    again = done(ei("module", "publish", "hello"))

    assert (said["entry"], said["threshold"], said["governors"]) == (0, 2, 3)
    assert "entry 0 of the log; needs 2 of 3 approvals" in again.out
    assert "ei registry approve hello@0.1.0" in again.err


def test_a_second_version_goes_on_from_the_first(ei: Run) -> None:
    begun(ei)
    _ = published(ei)

    assert published(ei, version="0.2.0").document["entry"] == 1


def test_a_version_never_changes(ei: Run, tmp_path: Path) -> None:
    begun(ei)
    _ = published(ei)
    with (tmp_path / "hello" / "service.py").open("a") as file:
        _ = file.write("# changed\n")

    changed = ei("module", "publish", "hello")
    assert changed.code == Exit.CONFLICT
    assert "has changed since hello@0.1.0 was signed" in changed.err
    signed = ei("module", "sign", "hello", "--key", "author.key", "--registry", "registry")
    assert signed.code == Exit.CONFLICT
    assert "a version never changes" in signed.err


def test_what_is_not_signed_is_not_published(ei: Run) -> None:
    begun(ei)
    done(ei("module", "new", "hello"))

    said = ei("module", "publish", "hello")

    assert said.code == Exit.NEGATIVE
    assert "ei module sign hello" in said.err


def test_a_number_of_somebody_else_is_refused(ei: Run, tmp_path: Path) -> None:
    begun(ei)
    done(ei("module", "new", "hello"))
    manifest = tmp_path / "hello" / "manifest.toml"
    lines = [
        "id = 17" if line.startswith("id =") else line for line in manifest.read_text().splitlines()
    ]
    _ = manifest.write_text("\n".join(lines))
    done(ei("module", "sign", "hello", "--key", "author.key"))

    said = ei("module", "publish", "hello")

    assert said.code == Exit.CONFLICT
    assert "number 17 of hello belongs to echo" in said.err.lower()


def test_a_certificate_is_kept_beside_the_release(ei: Run, tmp_path: Path) -> None:
    begun(ei)
    done(ei("module", "new", "hello"))
    digest = done(ei("module", "sign", "hello", "--key", "author.key", "--json")).document["digest"]
    certificate = json.dumps({"schema": "ei.certificate/1", "digest": digest})
    _ = (tmp_path / "certificate.json").write_text(certificate)
    words = ("--key", "author.key", "--certificate", "certificate.json")
    done(ei("module", "sign", "hello", *words))

    done(ei("module", "publish", "hello"))

    kept = list((tmp_path / "registry" / "public" / "certificates").iterdir())
    assert [path.read_text() for path in kept] == [certificate]
    _ = (tmp_path / "certificate.json").write_text(certificate.replace("sha256:", "sha256:00"))
    assert ei("module", "sign", "hello", *words).code == Exit.INTEGRITY
