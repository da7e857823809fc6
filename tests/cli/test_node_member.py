"""`ei node member` on a node that is in no cluster; the scenario `cluster` has one that is."""

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


@pytest.mark.slow
def test_a_node_in_no_cluster_says_so(lab: Run) -> None:
    said = lab("node", "member", "list", "sn1.isp-a")

    assert said.code == Exit.NEGATIVE
    assert said.out == "sn1.isp-a is in no cluster\n"
    document = lab("node", "member", "list", "sn1.isp-a", "--json").document
    assert (document["schema"], document["cluster"]) == ("ei.node-members/1", None)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["add", "remove"])
def test_nobody_joins_or_leaves_what_is_not(lab: Run, verb: str) -> None:
    said = lab("node", "member", verb, "sn1.isp-a")

    assert said.code == Exit.ERROR
    assert "This node is in no cluster" in said.err
    assert "Say [cluster] in its node.toml" in said.err


def test_which_member_is_meant_must_be_said(ei: Run) -> None:
    said = ei("node", "member", "remove")

    assert said.code == Exit.ERROR
    assert "MEMBER" in said.err
