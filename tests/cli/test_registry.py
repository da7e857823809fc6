from tests.cli.conftest import Run
from tests.cli.registry_of import approve, begun, done, published, witness, witnessed

from ei.cli.exits import Exit
from ei.cli.registry import VERBS


def test_each_verb_has_help(ei: Run) -> None:
    for verb in VERBS:
        assert f"ei registry {verb}" in done(ei("registry", verb, "--help")).out


def test_a_module_comes_from_its_author_to_what_nodes_may_run(ei: Run) -> None:
    begun(ei)
    submitted = published(ei).document
    witnessed(ei)

    first = done(approve(ei, "anne", release="hello@0.1.0"))
    second = done(approve(ei, "cleo", release="hello@0.1.0", more=("--share", "1%")))

    assert "1 more must sign" in first.out
    assert "ei registry approve --key FILE" in first.err
    assert "published" in second.out
    verified = done(ei("registry", "verify", "--module", "hello", "--json")).document
    (release,) = verified["releases"]  # type: ignore[misc]
    assert (release["digest"], release["share"]) == (submitted["digest"], 0.01)
    assert verified["module"] == {"digest": submitted["digest"], "release": "hello@0.1.0"}


def test_where_no_registry_is_the_command_that_makes_one_is_said(ei: Run) -> None:
    said = ei("registry", "log")

    assert said.code == Exit.NEGATIVE
    assert "Registry is no registry" in said.err
    assert "ei registry init registry" in said.err


def test_a_key_that_does_not_govern_signs_nothing(ei: Run) -> None:
    begun(ei)
    _ = published(ei)
    witnessed(ei)

    said = approve(ei, "author", release="hello@0.1.0")

    assert said.code == Exit.CONFLICT
    assert "is none of the keys that govern this registry" in said.err
    assert done(witness(ei, "w0", "--json")).document["cosigned_by"] == 3
