"""What a token is worth at an exit is what the topology says."""

from ei.lab.catalogue import find_topology
from ei.scenarios.relay.abusing import BURST_BYTES, TOKEN_BYTES_PER_S
from ei.scenarios.relay.ground import SLOW_EXIT


def test_the_limits_are_those_of_the_topology() -> None:
    config = find_topology("relay").nodes[SLOW_EXIT].config["relay"]

    assert config["token_bytes_per_s"] == TOKEN_BYTES_PER_S
    assert config["token_burst_bytes"] == BURST_BYTES
