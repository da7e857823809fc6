"""Which nodes SRV records mean, and in which order they are tried."""

from collections import Counter
from random import Random

from ei.host.locating import Located, choose, in_order, nodes_at
from ei.records.kinds import NodeRecord
from ei.sdk.packets import Address

SN1, SN2, SN3 = (Address(name * 16) for name in (b"1", b"2", b"3"))


def node(address: Address, *endpoints: str) -> NodeRecord:
    return NodeRecord(address, "sn.isp-a", b"i" * 32, b"p" * 32, endpoints, (), 2_000)


def located(target: str, *, priority: int = 10, weight: int = 10, at: str = "") -> Located:
    return Located(target, priority, weight, (at,) if at else ())


def test_the_lower_priority_comes_first_whatever_the_weights() -> None:
    records = [located("late", priority=20, weight=60_000), located("early", weight=0)]

    for seed in range(20):
        ordered = in_order(records, random=Random(seed))
        assert [each.target for each in ordered] == ["early", "late"]


def test_hosts_share_themselves_out_by_weight() -> None:
    records = [located("light", weight=10), located("heavy", weight=30)]
    random = Random(7)

    first = Counter(in_order(records, random=random)[0].target for _ in range(4_000))

    assert 2_850 < first["heavy"] < 3_150


def test_records_without_weight_are_all_there() -> None:
    records = [located(name, weight=0) for name in "abc"]

    assert {each.target for each in in_order(records, random=Random(1))} == set("abc")


def test_only_an_endpoint_that_a_domain_has_signed_counts() -> None:
    nodes = {
        SN1: node(SN1, "[2001:db8::1]:3535", "192.0.2.1:3535"),
        SN2: node(SN2, "192.0.2.2:3535"),
    }
    answers = [
        located("sn2.a.example", at="192.0.2.2:3535"),
        located("forged.example", at="203.0.113.9:3535"),
        located("other-port.example", at="192.0.2.1:53"),
        located("sn1.a.example", at="[2001:DB8:0::1]:3535"),
        located("silent.example"),
    ]

    found, strangers = nodes_at(answers, nodes)

    assert found == [SN2, SN1]
    assert strangers == ["forged.example", "other-port.example", "silent.example"]


def test_a_host_keeps_the_nodes_that_it_has_and_takes_two() -> None:
    assert choose([SN3, SN1, SN2]) == [SN3, SN1]
    assert choose([SN3, SN1, SN2], present=[SN2]) == [SN2, SN3]
    assert choose([SN3], present=[SN1]) == [SN3]
