"""Whose the nodes of a path are is what governance says, and no domain's own word."""

import pytest

from ei.errors import DeniedError, NotFoundError
from ei.records.governance import Governance
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.lists import DomainList, ListedDomain, seal_list
from ei.records.operators import operator_of, require_different_operators
from ei.records.record_set import RecordSet, verify_records

UNIX_S = 1_000
GOVERNOR = make_keys(b"g" * 32)
GOVERNANCE = Governance(frozenset({GOVERNOR.identity_key}), 1)
DOMAINS = [
    Issuer(name, number, make_keys(name[-1].encode() * 32), expires_unix_s=4_000)
    for number, name in ((1, "isp-a"), (2, "isp-b"), (3, "isp-c"))
]
NODES = [make_keys(bytes((domain.number,)) * 32) for domain in DOMAINS]
A, B, C = (node.address(domain.number) for node, domain in zip(NODES, DOMAINS, strict=True))
TRUST = {domain.name: domain.keys.identity_key for domain in DOMAINS}


def known(*, expires_unix_s: int = 4_000, **operators: str) -> RecordSet:
    listed = tuple(
        ListedDomain(
            domain.name,
            domain.number,
            domain.keys.identity_key,
            expires_unix_s,
            operators.get(domain.name[-1], ""),
        )
        for domain in DOMAINS
    )
    body = DomainList(1, expires_unix_s, (GOVERNOR.identity_key,), 1, listed)
    envelopes = [seal_list(body, [GOVERNOR])]
    for domain, node in zip(DOMAINS, NODES, strict=True):
        envelopes += [
            domain.domain(),
            domain.node(node, f"n.{domain.name}", endpoints=("127.0.0.1:1",), services=()),
        ]
    return verify_records(envelopes, trust=TRUST, unix_s=UNIX_S, governance=GOVERNANCE)


def test_a_domain_is_run_by_whom_governance_names_else_by_itself() -> None:
    records = known(b="example-net")

    assert operator_of(1, records) == "isp-a"
    assert operator_of(2, records) == "example-net"
    assert operator_of(9, records) is None


def test_domains_of_different_operators_are_a_path() -> None:
    require_different_operators([A, B, C], known(b="example-net"))


@pytest.mark.parametrize("operators", [{"a": "acme", "c": "acme"}, {"c": "isp-a"}])
def test_two_domains_of_one_operator_are_refused_by_name(operators: dict[str, str]) -> None:
    whose = operators.get("a", "isp-a")

    with pytest.raises(DeniedError, match="different operators") as caught:
        require_different_operators([A, B, C], known(**operators))

    said = f"n.isp-a (domain isp-a) and n.isp-c (domain isp-c) are both run by {whose};"
    assert said in str(caught.value)
    assert "another operator" in caught.value.remedy


def test_two_nodes_of_one_domain_are_one_party() -> None:
    with pytest.raises(DeniedError, match="are both run by isp-a"):
        require_different_operators([A, make_keys(b"x" * 32).address(1)], known())


def test_a_node_of_a_domain_that_nobody_names_is_refused() -> None:
    with pytest.raises(NotFoundError, match="no record of domain 9") as caught:
        require_different_operators([A, make_keys(b"x" * 32).address(9)], known())

    assert "ei governance list" in caught.value.remedy


def test_a_list_that_has_expired_makes_no_party_out_of_one() -> None:
    records = known(expires_unix_s=UNIX_S - 1, a="acme", b="acme")

    with pytest.raises(DeniedError):
        require_different_operators([A, B], records)
