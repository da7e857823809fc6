from tests.cli.conftest import Run
from tests.cli.registry_of import approve, begun, done, published, witnessed

from ei.cli.exits import Exit


def test_what_no_witness_has_seen_is_not_approved(ei: Run) -> None:
    begun(ei)
    _ = published(ei)

    said = approve(ei, "anne", release="hello@0.1.0")

    assert said.code == Exit.CONFLICT
    assert "ei registry witness" in said.err


def test_a_draft_is_shown_and_forgotten(ei: Run) -> None:
    begun(ei)
    digest = published(ei).document["digest"]
    witnessed(ei)

    shown = done(approve(ei, release="hello@0.1.0", more=("--json",))).document
    assert shown["missing"] == 2
    assert f"approve hello@0.1.0 {digest}" in shown["changes"]  # type: ignore[operator]

    done(approve(ei, more=("--discard",)))
    assert "nothing waits for signatures" in approve(ei).err.lower()


def test_what_is_no_release_is_refused(ei: Run) -> None:
    begun(ei)

    assert approve(ei, "anne", release="hello").code == Exit.ERROR
    said = approve(ei, "anne", release="hello@9.9.9")
    assert said.code == Exit.NEGATIVE
    assert "ei module publish" in said.err
