"""Where everything in a lab answers: endpoints, and the relays between them. Pure.

```
<subnet>.0.1 ...          hosts and nodes, port 3535
<subnet>.127.254 ...      etcd, downwards, ports 2379 and 2380
<subnet>.128.0 ...        relays: two endpoints each, one for either end of a link
```
A node or host that looks for another at the other end of a link finds the relay's side of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import msgspec

from ei.errors import LimitError
from ei.lab.topology import HostPlan, Impairment, Topology, ends

PORT = 3535
OCTET = 256
FIRST_RELAY_OCTET = 128
MAX_RESIDENTS = FIRST_RELAY_OCTET * OCTET - 1
MAX_RELAYS = (OCTET - FIRST_RELAY_OCTET) * OCTET // 2 - 1


class Relay(msgspec.Struct, frozen=True):
    """A link with the endpoints that stand for its ends.

    Attributes:
        a, b: Names of the ends, in alphabetical order.
        a_side: Where `a` sends what is for `b`.
        a_endpoint: Of `a` itself; port 0 is learned from its first datagram.
        b_side, b_endpoint: The same for `b`.
        impairment: Of both directions.
    """

    a: str
    b: str
    a_side: str
    a_endpoint: str
    b_side: str
    b_endpoint: str
    impairment: Impairment

    @property
    def name(self) -> str:
        """Both ends, as `ei lab impair` takes them."""
        return f"{self.a}--{self.b}"


@dataclass(frozen=True, slots=True)
class Layout:
    """Endpoints of a lab.

    Attributes:
        endpoints: Name to endpoint.
        relays: By the two ends in alphabetical order; links without a relay are direct.
    """

    endpoints: Mapping[str, str]
    relays: Mapping[tuple[str, str], Relay]

    def seen_from(self, viewer: str, name: str) -> str:
        """Return the endpoint at which `viewer` finds `name`."""
        relay = self.relays.get(ends(viewer, name))
        if relay is None:
            return self.endpoints[name]
        return relay.a_side if relay.a == viewer else relay.b_side


def lay_out(topology: Topology, *, subnet: str, has_relays: bool = True) -> Layout:
    """Give everything in `topology` an endpoint.

    Args:
        subnet: First two octets, such as `127.1`.
        has_relays: Whether links go through relays; a simulation has its own links.

    Raises:
        LimitError: more than 32_767 nodes and hosts, or 16_383 relays.
    """
    names = [*topology.nodes, *topology.hosts]
    check_residents(len(names))
    endpoints = {name: _endpoint(subnet, number) for number, name in enumerate(names, start=1)}
    relays: dict[tuple[str, str], Relay] = {}
    if has_relays:
        links = list(_links(topology))
        _expect_at_most(MAX_RELAYS, len(links), "links")
        for number, (a, b) in enumerate(links):
            relays[a, b] = Relay(
                a=a,
                b=b,
                a_side=_endpoint(subnet, FIRST_RELAY_OCTET * OCTET + 2 * number),
                a_endpoint=endpoints[a],
                b_side=_endpoint(subnet, FIRST_RELAY_OCTET * OCTET + 2 * number + 1),
                b_endpoint=endpoints[b],
                impairment=topology.impairment(a, b),
            )
    return Layout(endpoints, relays)


def lay_out_etcd(topology: Topology, *, subnet: str) -> dict[str, str]:
    """Give every member of etcd an IP address: the last ones of hosts and nodes."""
    return {
        name: f"{subnet}.{FIRST_RELAY_OCTET - 1}.{OCTET - 2 - number}"
        for number, name in enumerate(topology.etcd)
    }


def ip_addresses(layout: Layout) -> dict[str, str]:
    """Return name to IP address of all nodes and hosts."""
    return {name: end.rpartition(":")[0] for name, end in layout.endpoints.items()}


def hosts_text(addresses: Mapping[str, str], hosts: Mapping[str, HostPlan]) -> str:
    """Return a hosts(5) file in which all of these have their names, aliases included."""
    lines = ["127.0.0.1 localhost"]
    for name, address in addresses.items():
        aliases = hosts[name].aliases if name in hosts else ()
        lines.append(" ".join([address, name, *aliases]))
    return "\n".join(lines) + "\n"


def _links(topology: Topology) -> Iterator[tuple[str, str]]:
    for a, b in combinations(topology.nodes, 2):
        yield ends(a, b)
    for host in topology.hosts.values():
        for node in host.nodes:
            yield ends(host.name, node)


def check_residents(count: int) -> None:
    """Refuse a lab of too many nodes and hosts.

    Raises:
        LimitError: more than 32_767.
    """
    _expect_at_most(MAX_RESIDENTS, count, "nodes and hosts")


def _expect_at_most(limit: int, count: int, what: str) -> None:
    if count > limit:
        raise LimitError(f"{count} {what} in one lab, allowed are {limit}")


def _endpoint(subnet: str, number: int) -> str:
    return f"{subnet}.{number // OCTET}.{number % OCTET}:{PORT}"
