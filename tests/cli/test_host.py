import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_a_missing_configuration_is_said_with_its_path(ei: Run) -> None:
    for verb in ("run", "check"):
        said = ei("host", verb, "--config", "nowhere/host.toml")

        assert said.code == Exit.ERROR
        assert "nowhere/host.toml" in said.err


@pytest.mark.slow
def test_a_host_shows_its_attachments(lab: Run) -> None:
    document = lab("host", "status", "bob", "--json").document

    assert document["schema"] == "ei.host-status/1"
    assert document["name"] == "bob.isp-b"
