"""The exit is a node of another operator, near to what is asked for, and never the same for all."""

from dataclasses import replace
from random import Random

import pytest

from ei.errors import DeniedError, LocalError, NotFoundError
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.locations import Location
from ei.records.record_set import RecordSet, verify_records
from ei.sdk.packets import Address
from ei.ways.exits import RELAY, ExitWish, choose_exit

MUNICH, PRAGUE, LISBON, TOKYO = (48, 12), (50, 14), (39, -9), (36, 140)
DELIVERY = 16


class World:
    """Domains with nodes, and who runs them."""

    def __init__(self) -> None:
        self._envelopes: list[bytes] = []
        self._trust: dict[str, bytes] = {}
        self._operators: dict[str, str] = {}

    def domain(self, name: str, *, operator: str = "") -> Issuer:
        number = len(self._trust) + 1
        issuer = Issuer(name, number, make_keys(bytes([number]) * 32), expires_unix_s=2_000)
        self._envelopes.append(issuer.domain())
        self._trust[name] = issuer.keys.identity_key
        if operator:
            self._operators[name] = operator
        return issuer

    def node(
        self,
        domain: Issuer,
        own: str,
        location: Location | None = None,
        *,
        services: tuple[int, ...] = (RELAY,),
    ) -> Address:
        keys = make_keys(f"{own}.{domain.name}".encode().ljust(32))
        name, endpoints = f"{own}.{domain.name}", ("192.0.2.1:3535",)
        self._envelopes.append(
            domain.node(keys, name, endpoints=endpoints, services=services, location=location)
        )
        return keys.address(domain.number)

    def records(self) -> RecordSet:
        records = verify_records(self._envelopes, trust=self._trust, unix_s=1_000)
        assert records.refused == ()
        return replace(records, roots=replace(records.roots, operators=self._operators))


def chosen(  # noqa: PLR0913 all that a choice rests on
    world: World,
    own: Address | None,
    *,
    node: str = "",
    near: str = "",
    tried: frozenset[Address] = frozenset(),
    before: Address | None = None,
) -> set[Address]:
    """Return the exits that some hosts choose."""
    records, wish = world.records(), ExitWish(node, near)
    return {
        choose_exit(records, own, wish=wish, tried=tried, random=Random(seed), before=before)
        for seed in range(50)
    }


def test_the_exit_is_of_another_operator_even_where_domains_differ() -> None:
    world = World()
    own = world.node(world.domain("isp-a", operator="acme"), "sn1", MUNICH)
    _ = world.node(world.domain("isp-a2", operator="acme"), "sn1", MUNICH)
    far = world.node(world.domain("isp-b"), "sn1", TOKYO)

    assert chosen(world, own) == {far}


def test_the_nearest_to_the_hosts_node_are_chosen_each_by_some() -> None:
    world = World()
    own = world.node(world.domain("isp-a"), "sn1", MUNICH)
    other = world.domain("isp-b")
    near = {world.node(other, "sn1", PRAGUE), world.node(world.domain("isp-c"), "sn1", (49, 14))}
    _ = world.node(other, "sn2", LISBON)
    _ = world.node(other, "sn3")

    assert chosen(world, own) == near


def test_a_place_or_a_node_that_is_asked_for_counts_instead() -> None:
    world = World()
    isp_a, isp_b = world.domain("isp-a"), world.domain("isp-b")
    own = world.node(isp_a, "sn1", MUNICH)
    _ = world.node(isp_a, "sn2", TOKYO)
    _ = world.node(isp_b, "sn1", PRAGUE)
    far = world.node(isp_b, "sn2", TOKYO)

    assert chosen(world, own, near="35N,139E") == {far}
    assert chosen(world, own, near="sn2.isp-a") == {far}
    assert chosen(world, own, node="sn2.isp-b") == {far}


def test_the_exit_that_there_was_stays_while_it_is_as_good_as_any() -> None:
    world = World()
    own = world.node(world.domain("isp-a"), "sn1", MUNICH)
    other = world.domain("isp-b")
    near = {world.node(other, "sn1", PRAGUE), world.node(other, "sn2", PRAGUE)}
    far = world.node(other, "sn3", TOKYO)
    one, two = sorted(near)

    assert chosen(world, own, before=one) == {one}
    assert chosen(world, own, before=one, tried=frozenset({one})) == {two}
    assert chosen(world, own, before=far) == near


def test_where_nobody_says_where_things_are_all_are_as_good() -> None:
    world = World()
    own = world.node(world.domain("isp-a"), "sn1")
    other = world.domain("isp-b")
    both = {world.node(other, "sn1", PRAGUE), world.node(other, "sn2")}

    assert chosen(world, own) == both


def test_what_was_tried_is_not_tried_again() -> None:
    world = World()
    own = world.node(world.domain("isp-a"), "sn1", MUNICH)
    other = world.domain("isp-b")
    near, far = world.node(other, "sn1", PRAGUE), world.node(other, "sn2", TOKYO)

    assert chosen(world, own, tried=frozenset({near})) == {far}
    with pytest.raises(DeniedError, match=r"no exit answers; tried are sn1\.isp-b, sn2\.isp-b"):
        _ = chosen(world, own, tried=frozenset({near, far}))
    with pytest.raises(DeniedError, match=r"no exit answers; tried are sn2\.isp-b"):
        _ = chosen(world, own, node="sn2.isp-b", tried=frozenset({far}))


def test_without_a_second_operator_it_is_said_what_was_seen_and_what_helps() -> None:
    world = World()
    own = world.node(world.domain("isp-a", operator="acme"), "sn1")
    _ = world.node(world.domain("isp-a2", operator="acme"), "sn1")
    _ = world.node(world.domain("isp-b"), "sn1", services=(DELIVERY,))

    with pytest.raises(DeniedError) as denied:
        _ = chosen(world, own)

    assert str(denied.value) == (
        "no node of another operator than acme offers the relay (service 68); seen: isp-a (of acme:"
        " 1 of 1 nodes offer it), isp-a2 (of acme: 1 of 1 nodes offer it), isp-b (of isp-b: 0 of 1"
        " nodes offer it)"
    )
    assert "[trust] of host.toml" in denied.value.remedy


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ("sn2.isp-a", "run by isp-a, as the node in use is: one operator would know who asks"),
        ("sn2.isp-b", r"sn2\.isp-b offers no relay \(service 68\)"),
    ],
)
def test_an_exit_that_does_not_do_is_refused_with_those_that_would(node: str, reason: str) -> None:
    world = World()
    isp_a, isp_b = world.domain("isp-a"), world.domain("isp-b")
    own = world.node(isp_a, "sn1")
    _ = world.node(isp_a, "sn2")
    _ = world.node(isp_b, "sn1")
    _ = world.node(isp_b, "sn2", services=(DELIVERY,))

    with pytest.raises(DeniedError, match=reason) as denied:
        _ = chosen(world, own, node=node)

    assert denied.value.remedy.endswith(": sn1.isp-b")


def test_a_first_node_that_does_not_do_is_refused() -> None:
    world = World()
    isp_a = world.domain("isp-a")
    own = world.node(isp_a, "sn1", services=(DELIVERY,))
    _ = world.node(world.domain("isp-b"), "sn1")

    with pytest.raises(DeniedError, match=r"the node in use, sn1\.isp-a, offers no relay"):
        _ = chosen(world, own)
    with pytest.raises(DeniedError, match="no node is in use"):
        _ = chosen(world, None)


def test_what_is_asked_for_has_to_be_there() -> None:
    world = World()
    own = world.node(world.domain("isp-a"), "sn1")
    _ = world.node(world.domain("isp-b"), "sn1")

    with pytest.raises(NotFoundError, match=r"did you mean sn1\.isp-b"):
        _ = chosen(world, own, node="sn1.isp-bb")
    with pytest.raises(LocalError, match="does not say where that is"):
        _ = chosen(world, own, near="sn1.isp-b")
    with pytest.raises(LocalError, match="is no location"):
        _ = chosen(world, own, near="95,11")
