import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

pytestmark = pytest.mark.slow


def test_a_trace_shows_every_hop_with_node_module_and_verdict(lab: Run) -> None:
    assert lab("ping", "alice", "bob").code == Exit.OK

    document = lab("trace", "alice", "bob", "--json").document

    hops = document["hops"]
    assert isinstance(hops, list)
    assert [hop["node"] for hop in hops] == ["sn1.isp-a", "sn1.isp-b"]
    assert {hop["how"] for hop in hops} == {"cached"}
    assert {hop["is_signed"] for hop in hops} == {True}
    assert hops[1]["to"] == "bob.isp-b"
    assert hops[0]["modules"][0].startswith("delivery@")
    assert document["refused"] == []


def test_explained_it_says_who_asked_for_each_service(lab: Run) -> None:
    said = lab("trace", "bob", "alice", "--explain")

    assert said.code == Exit.OK, said.err
    assert "named by the source, bob.isp-b" in said.out
    assert "answered" in said.out
    assert said.widest <= 80


def test_a_service_is_traced_as_a_host_is(lab: Run) -> None:
    said = lab("trace", "alice", "--service", "echo")

    assert said.code == Exit.OK, said.err
    assert "echo@" in said.out
