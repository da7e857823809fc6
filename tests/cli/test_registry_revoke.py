from tests.cli.conftest import Run
from tests.cli.registry_of import approve, begun, done, published, witnessed

from ei.cli.exits import Exit


def test_what_is_revoked_is_shown_so_with_the_reason(ei: Run) -> None:
    begun(ei)
    _ = published(ei)
    witnessed(ei)
    done(approve(ei, "anne", "bert", release="hello@0.1.0"))
    words = ("registry", "revoke", "hello@0.1.0", "--why", "it leaks")

    done(ei(*words, "--key", "bert.key"))
    assert "revoked" not in done(ei("registry", "verify")).out
    done(ei(*words, "--key", "cleo.key"))

    assert "hello@0.1.0 is revoked: it leaks" in done(ei("registry", "verify")).out
    assert ei("registry", "verify", "--module", "hello").code == Exit.NEGATIVE
    assert ei(*words, "--key", "anne.key").code == Exit.CONFLICT


def test_what_is_not_approved_is_not_revoked(ei: Run) -> None:
    begun(ei)

    assert ei("registry", "revoke", "x@1.0.0", "--why", "x").code == Exit.NEGATIVE
    assert ei("registry", "revoke", "x@1.0.0", "--why", "").code == Exit.ERROR
