"""A node tells its routes by name, and helps with a name that it does not know."""

from random import Random

import pytest

from ei.errors import NotFoundError
from ei.node.routes import routes_of, why_route
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import verify_records
from ei.routing import Atlas, Router

SN1, SN2 = (make_keys(letter * 32) for letter in (b"1", b"2"))
DOMAINS = [
    Issuer(name, number, make_keys(name.encode().ljust(32)), expires_unix_s=2_000)
    for number, name in ((1, "isp-a"), (2, "isp-b"))
]
RECORDS = verify_records(
    [
        *(domain.domain() for domain in DOMAINS),
        DOMAINS[0].node(SN1, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=(16,)),
        DOMAINS[1].node(SN2, "sn1.isp-b", endpoints=("127.0.0.1:2",), services=(16,)),
    ],
    trust={domain.name: domain.keys.identity_key for domain in DOMAINS},
    unix_s=1_000,
)


def router() -> Router:
    return Router(
        keys=SN1, domain_number=1, atlas=Atlas(RECORDS), policy=None, random=Random(1), offers=()
    )


def test_the_table_names_domains_and_peers() -> None:
    answer = routes_of(router(), "isp-a")

    assert answer.domain == "isp-a"
    assert answer.is_meshed
    assert [(row.domain, row.hop) for row in answer.routes] == [("isp-b", "sn1.isp-b")]
    assert answer.statistics.routes == 0


@pytest.mark.parametrize("domain", ["isp-b", "2"])
def test_a_domain_is_named_or_numbered(domain: str) -> None:
    assert why_route(router(), RECORDS, domain).direct == ("sn1.isp-b",)


@pytest.mark.parametrize("domain", ["isp-c", "7"])
def test_a_domain_that_nobody_knows_is_refused_with_those_there_are(domain: str) -> None:
    with pytest.raises(NotFoundError, match=f"no record of domain '{domain}'.*; 2 are known"):
        _ = why_route(router(), RECORDS, domain)
