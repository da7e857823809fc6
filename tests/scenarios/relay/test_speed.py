"""The round trip that the first byte may take more is that of the topology."""

from ei.lab.catalogue import find_topology
from ei.lab.topology import LinkKind
from ei.scenarios.relay.speed import BETWEEN_NODES_MS


def test_a_round_trip_between_domains_is_twice_their_delay() -> None:
    link = find_topology("relay").link_defaults[LinkKind.DOMAIN]

    assert 2 * link.delay_ms == BETWEEN_NODES_MS
