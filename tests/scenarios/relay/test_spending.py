"""Keys are replaced as often as the scenario thinks, and both kinds of answers are read."""

import msgspec

from ei.lab.catalogue import find_topology
from ei.scenarios.relay.ground import BRISK, SAME_OPERATOR
from ei.scenarios.relay.spending import KEY_S, MESSAGES
from ei.services.relay.messages import Signed


def test_an_issuer_has_new_keys_as_often_as_the_topology_says() -> None:
    assert find_topology("relay").nodes[BRISK].config["relay"]["key_s"] == KEY_S


def test_two_domains_have_one_operator() -> None:
    domains = find_topology("relay").domains
    own, _, other = "isp-a", *SAME_OPERATOR.partition(".")[1:]

    assert domains[own].operator == domains[other].operator == "acme"


def test_what_an_issuer_says_is_read() -> None:
    signed = Signed(1, (b"answer",))

    assert MESSAGES.decode(msgspec.msgpack.encode(signed)) == signed
