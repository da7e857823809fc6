from tests.cli.conftest import Run
from tests.cli.registry_of import begun, done, identity

from ei.cli.exits import Exit


def test_governors_and_the_online_key_change_and_nodes_follow(ei: Run) -> None:
    begun(ei)
    done(ei("registry", "verify", "--state", "node"))
    done(ei("key", "new", "dora.key"))
    change = ("--add", identity(ei, "dora"), "--remove", identity(ei, "anne"), "--new-online-key")
    signers = [word for name in ("anne", "bert", "dora") for word in ("--key", f"{name}.key")]

    said = done(ei("registry", "rotate", *change, *signers, "--json")).document

    assert said["is_published"] is True
    assert "root 2: 2 of 3 keys govern" in said["changes"]  # type: ignore[operator]
    verified = done(ei("registry", "verify", "--state", "node", "--json")).document
    assert verified["root_version"] == 2


def test_without_a_change_it_is_another_year(ei: Run) -> None:
    begun(ei)

    done(ei("registry", "rotate", "--key", "anne.key", "--key", "bert.key"))

    assert done(ei("registry", "verify", "--json")).document["root_version"] == 2


def test_what_could_not_govern_is_refused(ei: Run) -> None:
    begun(ei)

    assert ei("registry", "rotate", "--threshold", "4").code == Exit.ERROR
    assert ei("registry", "rotate", "--remove", "00" * 32).code == Exit.NEGATIVE
    assert ei("registry", "rotate", "--witnesses-needed", "1").code == Exit.ERROR
