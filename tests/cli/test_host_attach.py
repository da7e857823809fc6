from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


@pytest.fixture
def host(ei: Run) -> Run:
    """A domain with two nodes, and a host at both."""
    assert ei("domain", "init", "isp-a", "--number", "7").code == Exit.OK
    for number in (1, 2):
        endpoint = f"127.0.0.1:4000{number}"
        assert ei("node", "init", f"sn{number}.isp-a", "--endpoint", endpoint).code == Exit.OK
    assert ei("host", "init", "alice.isp-a").code == Exit.OK
    return ei


def test_an_attachment_is_renewed_where_the_host_is(host: Run) -> None:
    said = host("host", "attach", "--config", "alice.isp-a/host.toml", "--days", "40", "--json")

    assert said.code == Exit.OK, said.err
    assert said.document["nodes"] == ["sn1.isp-a", "sn2.isp-a"]
    assert host("host", "check", "--config", "alice.isp-a/host.toml").code == Exit.OK


def test_a_host_that_was_enrolled_by_request_attaches_itself(host: Run, tmp_path: Path) -> None:
    assert host("key", "new", "key").code == Exit.OK
    assert host("key", "request", "bob.isp-a", "--key", "key").code == Exit.OK
    assert host("domain", "enrol", "bob.isp-a.request").code == Exit.OK
    text = (tmp_path / "alice.isp-a" / "host.toml").read_text()
    text = text.replace('"alice.isp-a"', '"bob.isp-a"').replace(
        "# nodes = []", 'nodes = ["sn2.isp-a"]'
    )
    (tmp_path / "host.toml").write_text(text)

    said = host("host", "attach", "--config", "host.toml")

    assert said.code == Exit.OK, said.err
    assert "bob.isp-a is attached to sn2.isp-a, time left: 365 days" in said.out
    assert host("host", "check", "--config", "host.toml").code == Exit.OK
