import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_a_missing_configuration_is_said_with_its_path(ei: Run) -> None:
    for verb in ("run", "check"):
        said = ei("node", verb, "--config", "nowhere/node.toml")

        assert said.code == Exit.ERROR
        assert "nowhere/node.toml" in said.err


@pytest.mark.slow
def test_a_node_shows_its_fates_services_and_peers(lab: Run) -> None:
    said = lab("node", "status", "sn1.isp-a")

    assert said.code == Exit.OK, said.err
    assert "received" in said.out
    assert "delivery" in said.out
    assert "alice.isp-a" in said.out


@pytest.mark.slow
def test_a_host_is_no_node(lab: Run) -> None:
    assert lab("node", "status", "alice").code == Exit.NEGATIVE
