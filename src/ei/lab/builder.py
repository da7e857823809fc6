"""Makes topologies that are too large to write by hand."""

from collections.abc import Mapping

from ei.lab.topology import (
    DomainPlan,
    GroupPlan,
    HostPlan,
    Impairment,
    LinkKind,
    NodePlan,
    Topology,
    ends,
)

UNIMPAIRED = Impairment()


class TopologyBuilder:
    """Collects parts; `build` checks them.

    Example:
        >>> builder = TopologyBuilder("pair")
        >>> for domain in ("left", "right"):
        ...     builder.domain(domain)
        ...     builder.node(f"n.{domain}")
        ...     builder.host(f"h.{domain}", nodes=[f"n.{domain}"])
        >>> len(builder.build().hosts)
        2
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._domains: dict[str, DomainPlan] = {}
        self._nodes: dict[str, NodePlan] = {}
        self._hosts: dict[str, HostPlan] = {}
        self._groups: dict[str, GroupPlan] = {}
        self._link_defaults = dict.fromkeys(LinkKind, UNIMPAIRED)
        self._links: dict[tuple[str, str], Impairment] = {}

    def domain(self, name: str) -> None:
        """Add a domain; its number is its position, from 1."""
        self._domains[name] = DomainPlan(name, len(self._domains) + 1)

    def node(
        self,
        name: str,
        *,
        services: tuple[str, ...] = ("delivery", "echo"),
        config: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        """Add a node under its full name."""
        self._nodes[name] = NodePlan(name, _domain_of(name), services, config=config or {})

    def host(self, name: str, *, nodes: list[str]) -> None:
        """Add a host under its full name, attached to nodes under their full names."""
        self._hosts[name] = HostPlan(name, _domain_of(name), tuple(nodes))

    def group(self, name: str, *, nodes: list[str]) -> None:
        """Add a group whose members meet at `nodes`."""
        self._groups[name] = GroupPlan(name, _domain_of(name), tuple(nodes))

    def link_default(self, kind: LinkKind, impairment: Impairment) -> None:
        """Give all links of a kind these properties, unless listed."""
        self._link_defaults[kind] = impairment

    def link(self, a: str, b: str, impairment: Impairment) -> None:
        """Give one link these properties."""
        self._links[ends(a, b)] = impairment

    def build(self) -> Topology:
        """Return the checked topology.

        Raises:
            ConfigError: a name is wrong, missing or given twice.
        """
        return Topology(
            name=self._name,
            domains=dict(self._domains),
            nodes=dict(self._nodes),
            hosts=dict(self._hosts),
            groups=dict(self._groups),
            link_defaults=dict(self._link_defaults),
            links=dict(self._links),
        )


def regular(
    *,
    nodes: int,
    hosts: int,
    nodes_per_domain: int = 10,
    services: tuple[str, ...] = ("delivery", "echo"),
) -> Topology:
    """Return a topology of equal domains; host k is attached to nodes k and k + 1 of its domain.

    Args:
        nodes: Service nodes in all, at least 1.
        hosts: Hosts in all, dealt to the nodes in turn.
        nodes_per_domain: The last domain may have fewer.
        services: Of every node.
    """
    builder = TopologyBuilder(f"{nodes} nodes, {hosts} hosts")
    builder.link_default(LinkKind.HOST, Impairment(delay_ms=1.0))
    builder.link_default(LinkKind.NODE, Impairment(delay_ms=0.5))
    builder.link_default(LinkKind.DOMAIN, Impairment(delay_ms=10.0))
    names: list[str] = []
    for index in range(nodes):
        domain = f"d{index // nodes_per_domain}"
        if index % nodes_per_domain == 0:
            builder.domain(domain)
        names.append(f"n{index}.{domain}")
        builder.node(names[-1], services=services)
    for index in range(hosts):
        first = index % nodes
        start = first - first % nodes_per_domain
        mates = names[start : start + nodes_per_domain]
        second = mates[(first - start + 1) % len(mates)]
        attached = [names[first]] if second == names[first] else [names[first], second]
        builder.host(f"h{index}.{_domain_of(names[first])}", nodes=attached)
    return builder.build()


def _domain_of(name: str) -> str:
    return name.partition(".")[2]
