from pathlib import Path

from tests.cli.conftest import Run
from tests.cli.registry_of import approve, begun, done, published, witnessed

from ei.cli.exits import Exit


def test_it_shows_what_was_submitted_seen_and_approved(ei: Run) -> None:
    begun(ei)
    _ = published(ei)
    assert "not witnessed" in done(ei("registry", "log")).out
    witnessed(ei)
    done(approve(ei, "anne", release="hello@0.1.0"))

    said = done(ei("registry", "log")).out
    shown = done(ei("registry", "log", "--json")).document

    assert "cosigned by 3 of 3 witnesses, needed are 2; nodes see 1 entries" in said
    assert "waits for signatures: approve hello@0.1.0" in said
    assert (shown["size"], shown["seen"]) == (1, 1)
    assert shown["draft"]["missing"] == 1  # type: ignore[index]
    done(approve(ei, "bert"))
    assert [
        each["state"] for each in done(ei("registry", "log", "--json")).document["entries"]
    ] == [  # type: ignore[attr-defined]
        "approved"
    ]


def test_an_entry_that_was_changed_is_found(ei: Run, tmp_path: Path) -> None:
    begun(ei)
    _ = published(ei)
    bundle = tmp_path / "registry" / "public" / "log" / "tile" / "entries" / "000.p" / "1"
    _ = bundle.write_bytes(bundle.read_bytes().replace(b"hello", b"jello"))

    said = ei("registry", "log")

    assert said.code == Exit.INTEGRITY
    assert "the entries of the log are not those of its tree" in said.err.lower()
