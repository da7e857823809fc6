"""`ei route` shows which peers lead where, and why."""

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_a_route_needs_a_node_that_runs(ei: Run) -> None:
    said = ei("route", "show", "sn1.isp-a")

    assert said.code == Exit.UNREACHABLE


@pytest.mark.slow
def test_the_routes_of_a_node_are_shown(lab: Run) -> None:
    said = lab("route", "show", "sn1.isp-a")

    assert said.code == Exit.OK, said.err
    assert "isp-b" in said.out
    document = lab("route", "show", "sn1.isp-a", "--json").document
    assert document["schema"] == "ei.route-show/1"
    assert document["is_meshed"]


@pytest.mark.slow
def test_every_way_to_a_domain_is_shown(lab: Run) -> None:
    said = lab("route", "why", "isp-b", "sn1.isp-a")

    assert said.code == Exit.OK, said.err
    assert "directly" in said.out
    document = lab("route", "why", "isp-b", "sn1.isp-a", "--json").document
    assert (document["schema"], document["domain"]) == ("ei.route-why/1", "isp-b")


@pytest.mark.slow
def test_a_domain_that_does_not_exist_is_refused_with_the_nearest_name(lab: Run) -> None:
    said = lab("route", "why", "isp-x", "sn1.isp-a")

    assert said.code == Exit.NEGATIVE
    assert "did you mean isp-b?" in said.err
