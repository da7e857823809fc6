"""Each attack is a lie that only the check it is meant for finds out."""

from random import Random

import pytest
from tests.routing.world import make_records, node, node_keys, policy_of

from ei.routing import Atlas, Relation, Router
from ei.scenarios.domains.attacks import Domain, forged_origin, route_leak, shortened_path

CUSTOMER, PEER = Relation.CUSTOMER, Relation.PEER
UNIX_S = 1_000_000.0
#  1 ── 2     peers; 3 is a customer of both, 4 of 1 and 5 of 3
EDGES = [(1, 2, PEER), (1, 3, CUSTOMER), (2, 3, CUSTOMER), (1, 4, CUSTOMER), (3, 5, CUSTOMER)]


def domain(number: int) -> Domain:
    return Domain(number, node_keys(number))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (forged_origin(domain(3), domain(4), 2, unix_s=UNIX_S), "origin_forged"),
        (shortened_path(domain(3), domain(1), domain(4), 2, unix_s=UNIX_S), "path_shortened"),
        (route_leak(domain(3), domain(1), domain(4), 2, unix_s=UNIX_S), "route_leak"),
    ],
)
def test_d10_a_lie_is_refused_for_what_it_is(message: bytes, reason: str) -> None:
    router = Router(
        keys=node_keys(2),
        domain_number=2,
        atlas=Atlas(make_records(EDGES)),
        policy=policy_of(2, EDGES),
        random=Random(1),
    )

    _ = router.take(node(3), message, now_s=0.0, unix_s=UNIX_S)

    assert router.statistics().refused == {reason: 1}
    assert router.route_to(4) is None
