"""What nodes are told of sites is what a `node.toml` may say."""

import tomllib
from ipaddress import IPv6Address

from ei.node.site_config import SiteConfig
from ei.runtime.loader import load_service
from ei.runtime.tables import convert_table
from ei.scenarios.termination.sites import H2, WWW, exit_toml, first_toml
from ei.testing import address

ORIGINS = {WWW: ("198.18.0.7:8001", "http/1.1"), H2: ("198.18.0.7:8002", "h2")}
FAR = address("far.2")


def test_the_first_node_has_both_sites_and_knows_who_goes_on() -> None:
    told = tomllib.loads(first_toml(ORIGINS, FAR))

    sites = convert_table(told["sites"][H2], SiteConfig)
    assert sites.protocols == ("h2",)
    config = load_service("termination").parse_config(told["config"]["termination"])
    assert config.sites == {WWW: "198.18.0.7:8001", H2: "198.18.0.7:8002"}
    assert config.exits == {"example.org": str(IPv6Address(FAR))}


def test_the_exit_keeps_connections_ready_to_both_origins() -> None:
    told = tomllib.loads(exit_toml(ORIGINS))

    config = load_service("termination").parse_config(told["config"]["termination"])

    assert config.ahead == {"198.18.0.7:8001": 8, "198.18.0.7:8002": 8}
