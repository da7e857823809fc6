"""What a topology on paper promises."""

import pytest

from ei.errors import LocalError
from ei.lab.topology import (
    DomainPlan,
    HostPlan,
    Impairment,
    LinkKind,
    NodePlan,
    Topology,
    ends,
    suggestion,
)


def topology(
    *,
    domains: tuple[DomainPlan, ...] = (DomainPlan("a", 1), DomainPlan("b", 2)),
    nodes: tuple[NodePlan, ...] = (
        NodePlan("sn1.a", "a", ("delivery",)),
        NodePlan("sn2.a", "a", ("delivery",)),
        NodePlan("sn1.b", "b", ("delivery",)),
    ),
    hosts: tuple[HostPlan, ...] = (
        HostPlan("alice.a", "a", ("sn1.a",), aliases=("www.a",)),
        HostPlan("bob.b", "b", ("sn1.b",)),
    ),
) -> Topology:
    return Topology(
        name="test",
        domains={domain.name: domain for domain in domains},
        nodes={node.name: node for node in nodes},
        hosts={host.name: host for host in hosts},
        groups={},
        link_defaults={
            LinkKind.HOST: Impairment(delay_ms=1),
            LinkKind.NODE: Impairment(delay_ms=2),
            LinkKind.DOMAIN: Impairment(delay_ms=3),
        },
        links={},
    )


def test_a_link_that_is_not_listed_is_as_its_kind() -> None:
    plan = topology()

    assert plan.impairment("alice.a", "sn1.a").delay_ms == 1
    assert plan.impairment("sn1.a", "sn2.a").delay_ms == 2
    assert plan.impairment("sn2.a", "sn1.b").delay_ms == 3


def test_short_names_and_aliases_are_found_when_they_are_unique() -> None:
    plan = topology()

    assert plan.find("alice") == "alice.a"
    assert plan.find("www.a") == "alice.a"
    assert plan.find("sn1.b") == "sn1.b"


def test_an_ambiguous_name_lists_what_it_may_mean() -> None:
    with pytest.raises(LocalError, match=r"'sn1' may mean sn1\.a, sn1\.b: use the full name"):
        topology().find("sn1")


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(LocalError, match=r"no node or host is called 'bob\.c'; did you mean"):
        topology().find("bob.c")


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"nodes": ()}, "at least one node"),
        ({"nodes": (NodePlan("Sn1.a", "a", ()),)}, "must be <own>.a"),
        ({"nodes": (NodePlan("sn1.c", "c", ()),)}, "sn1.c: domain: there is no 'c'"),
        ({"domains": (DomainPlan("a", 0), DomainPlan("b", 2))}, "number 0 is not 1 to"),
        ({"domains": (DomainPlan("a", 1), DomainPlan("b", 1))}, "both have number 1"),
        ({"hosts": (HostPlan("h.a", "a", ()),)}, "h.a: has 0 nodes, needs 1 to 4"),
        ({"hosts": (HostPlan("h.a", "a", ("sn1.a", "sn1.a")),)}, "names a node twice"),
        ({"hosts": (HostPlan("h.a", "a", ("sn9.a",)),)}, "h.a: there is no 'sn9.a'; did you"),
        ({"hosts": (HostPlan("sn1.a", "a", ("sn1.a",)),)}, "sn1.a: the name of both"),
        (
            {"nodes": (NodePlan("sn1.a", "a", ("x", "y"), {"x": ("x", "y")}),), "hosts": ()},
            "chain of x: must be 1 to 8 services, the last x",
        ),
        (
            {"nodes": (NodePlan("sn1.a", "a", ("x",), {"x": ("y", "x")}),), "hosts": ()},
            "chain of x: there is no 'y'; allowed: x",
        ),
        (
            {"nodes": (NodePlan("sn1.a", "a", ("x",), config={"y": {}}),), "hosts": ()},
            "sn1.a: config: there is no 'y'; allowed: x",
        ),
        (
            {
                "nodes": (NodePlan("sn1.a", "a", ("x",), config={"x": {"k": ["@sn2.a"]}}),),
                "hosts": (),
            },
            "sn1.a: config: there is no 'sn2.a'; did you mean 'sn1.a'",
        ),
    ],
)
def test_a_wrong_topology_says_what_is_wrong_and_what_is_allowed(
    parts: dict[str, tuple[object, ...]], complaint: str
) -> None:
    with pytest.raises(LocalError, match=complaint):
        topology(**parts)  # type: ignore[arg-type]  # wrong on purpose


def test_a_link_has_one_name_from_both_ends() -> None:
    assert ends("b", "a") == ends("a", "b") == ("a", "b")


def test_a_suggestion_is_near_or_lists_what_is_allowed() -> None:
    assert suggestion("nods", ["nodes", "hosts"]) == "; did you mean 'nodes'?"
    assert suggestion("zzz", ["nodes", "hosts"]) == "; allowed: nodes, hosts"
    assert suggestion("zzz", []) == "; allowed: none"
