from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_a_host_is_enrolled_at_the_nodes_of_its_domain(ei: Run) -> None:
    assert ei("key", "new", "domain.key").code == Exit.OK
    node = ("node", "init", "sn1.isp-a", "--domain-number", "1", "--endpoint", "127.0.0.1:40000")
    assert ei(*node).code == Exit.OK

    made = ei("host", "init", "alice.isp-a", "--domain-number", "1", "--json")
    checked = ei("host", "check", "--config", "alice.isp-a/host.toml", "--json")

    assert made.document["nodes"] == ["sn1.isp-a"]
    assert checked.code == Exit.OK, checked.err
    assert checked.document["address"] == made.document["address"]


def test_a_host_needs_a_node_first(ei: Run) -> None:
    assert ei("key", "new", "domain.key").code == Exit.OK

    said = ei("host", "init", "alice.isp-a", "--domain-number", "1")

    assert said.code == Exit.ERROR
    assert "ei node init" in said.err
