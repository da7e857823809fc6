"""An Internet-like graph of domains, with their records: who is whose customer, and who is peer.

The generator is networkx's, after Elmokashfi, Kvalbein and Dovrolis ("On the scalability of BGP",
2008): a clique of a few domains without providers, transit domains below them, and four fifths
stubs with one or two providers. Deterministic by its seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from ei.errors import ConfigError
from ei.lab.seeds import derive
from ei.records.envelope import seal_record
from ei.records.keys import Keys, make_keys
from ei.records.kinds import DomainRecord, NodeRecord
from ei.records.record_set import RecordSet, verify_records
from ei.routing import Policy, Relation

LIFE_S = 365 * 86_400
OFFERED = 16
"""A service that every domain offers."""
RARE = 1_000
"""A service that one domain in 50 offers."""
RARE_EVERY = 50


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Two domains that are neighbours.

    Attributes:
        relation: What `other` is to `one`.
        delay_s: One way.
    """

    one: int
    other: int
    relation: Relation
    delay_s: float


@dataclass(frozen=True, slots=True)
class Internet:
    """Domains with one node each.

    Attributes:
        keys: Of the node of each domain, by number from 1.
        records: Of all domains and nodes, verified.
    """

    edges: tuple[Neighbours, ...]
    keys: dict[int, Keys]
    records: RecordSet

    @property
    def transit(self) -> list[Neighbours]:
        """The neighbours of which `other` is the customer."""
        return [edge for edge in self.edges if edge.relation is Relation.CUSTOMER]

    def policy(self, domain: int) -> Policy:
        """Return what the configuration of a domain says of its neighbours."""
        return Policy(dict(self._neighbours(domain)))

    def _neighbours(self, domain: int) -> Iterator[tuple[str, Relation]]:
        for edge in self.edges:
            if edge.one == domain:
                yield name_of(edge.other), edge.relation
            elif edge.other == domain:
                yield name_of(edge.one), Relation(2 - edge.relation)


def name_of(domain: int) -> str:
    """Return the name of a domain."""
    return f"d{domain}"


def domain_keys(domain: int, *, seed: int) -> Keys:
    """Return the keys that sign the records of a domain."""
    return make_keys(derive(seed, f"domain {domain}"))


def make_internet(domains: int, *, seed: int, unix_s: int) -> Internet:
    """Return an Internet-like graph of so many domains.

    Raises:
        ConfigError: networkx is not installed.
    """
    edges = tuple(_edges(domains, seed))
    providers: dict[int, list[int]] = {}
    for edge in edges:
        if edge.relation is Relation.CUSTOMER:
            providers.setdefault(edge.other, []).append(edge.one)
    keys = {
        number: make_keys(derive(seed, f"node of domain {number}"))
        for number in range(1, domains + 1)
    }
    envelopes: list[bytes] = []
    trust: dict[str, bytes] = {}
    for number, node in keys.items():
        name, domain = name_of(number), domain_keys(number, seed=seed)
        trust[name] = domain.identity_key
        above = tuple(sorted(providers.get(number, ())))
        services = (OFFERED, RARE) if number % RARE_EVERY == 0 else (OFFERED,)
        envelopes += (
            seal_record(DomainRecord(name, number, unix_s + LIFE_S, above), domain),
            seal_record(
                NodeRecord(
                    node.address(number),
                    f"sn1.{name}",
                    node.identity_key,
                    node.pipe_key,
                    (f"10.{number >> 8}.{number & 255}.1:3535",),
                    services,
                    unix_s + LIFE_S,
                ),
                domain,
            ),
        )
    return Internet(edges, keys, verify_records(envelopes, trust=trust, unix_s=unix_s))


def _edges(domains: int, seed: int) -> Iterator[Neighbours]:
    try:
        from networkx.generators.internet_as_graphs import (  # noqa: PLC0415 an optional library
            random_internet_as_graph,
        )
    except ImportError as error:
        raise ConfigError(
            "the graph of an internet is made by networkx, which is not installed",
            remedy="pip install 'extensible-internet[scale]'",
        ) from error
    random = Random(seed)
    graph = random_internet_as_graph(domains, seed=seed)
    for a, b, data in sorted(graph.edges(data=True), key=lambda edge: (edge[0], edge[1])):
        delay_s = random.uniform(0.002, 0.04)
        if data["type"] == "peer":
            yield Neighbours(a + 1, b + 1, Relation.PEER, delay_s)
        else:
            customer = int(data["customer"])
            provider = a if customer == b else b
            yield Neighbours(provider + 1, customer + 1, Relation.CUSTOMER, delay_s)
