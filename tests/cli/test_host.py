from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_a_missing_configuration_is_said_with_its_path(ei: Run) -> None:
    for verb in ("run", "check"):
        said = ei("host", verb, "--config", "nowhere/host.toml")

        assert said.code == Exit.ERROR
        assert "nowhere/host.toml" in said.err
        assert "ei host init" in said.err


def test_the_own_configuration_of_a_user_is_found(ei: Run, tmp_path: Path) -> None:
    assert ei("key", "new", "domain.key").code == Exit.OK
    domain = ("--domain-number", "1")
    assert ei("node", "init", "sn1.isp-a", *domain, "--endpoint", "127.0.0.1:40000").code == Exit.OK
    folder = str(tmp_path / ".config" / "ei")
    assert ei("host", "init", "alice.isp-a", *domain, "--folder", folder).code == Exit.OK

    said = ei("host", "check")

    assert said.code == Exit.OK, said.err
    assert "alice.isp-a is fd35:" in said.out


def test_without_any_configuration_it_is_said_how_to_write_one(ei: Run) -> None:
    said = ei("host", "check")

    assert said.code == Exit.ERROR
    assert "ei host init" in said.err


@pytest.mark.slow
def test_a_host_shows_its_attachments(lab: Run) -> None:
    document = lab("host", "status", "bob", "--json").document

    assert document["schema"] == "ei.host-status/1"
    assert document["name"] == "bob.isp-b"
