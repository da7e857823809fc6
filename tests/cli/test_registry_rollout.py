from tests.cli.conftest import Run
from tests.cli.registry_of import approve, begun, done, published, witnessed

from ei.cli.exits import Exit


def test_a_share_is_what_nodes_are_told(ei: Run) -> None:
    begun(ei)
    _ = published(ei)
    witnessed(ei)
    done(approve(ei, "anne", "bert", release="hello@0.1.0", more=("--share", "0%")))

    done(ei("registry", "rollout", "hello@0.1.0", "--share", "25%"))

    verified = done(ei("registry", "verify", "--json")).document
    assert [each["share"] for each in verified["releases"]] == [0.25]  # type: ignore[attr-defined]
    assert ei("registry", "rollout", "hello@9.9.9", "--share", "1%").code == Exit.NEGATIVE
    assert ei("registry", "rollout", "hello@0.1.0", "--share", "101%").code == Exit.ERROR
