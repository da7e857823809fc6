"""Who lives in a lab: keys, addresses and signed records of everything in a topology. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ei.errors import ConfigError
from ei.lab.names import configured
from ei.lab.topology import GroupPlan, HostPlan, Topology
from ei.records.addresses import format_address, make_group_address
from ei.records.envelope import seal_record
from ei.records.governance import Governance, why_malformed
from ei.records.keys import Keys, make_keys
from ei.records.kinds import (
    EVERYBODY,
    AttachmentRecord,
    DomainRecord,
    Enrolment,
    GroupRecord,
    NodeRecord,
)
from ei.records.lists import DomainList, ListedDomain, seal_list
from ei.sdk.packets import Address

LIFETIME_S = 365 * 24 * 3_600
"""A lab has nobody who would renew its records."""


@dataclass(frozen=True, slots=True)
class Resident:
    """Who one host or node is."""

    name: str
    keys: Keys
    address: Address


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody in a lab.

    Attributes:
        residents: Nodes and hosts by full name, nodes first, in the order of the topology.
        domains: Keys of the domains by name.
        groups: Addresses of the groups by full name.
        names: Full names by address.
        public: Signed envelopes of what everybody knows: domains and groups; nodes come beside.
        governance: Who says which operator runs which domain; `None` where each runs one.
        private: By domain those of the hosts that are enrolled in it or attached to its nodes, and
            of where they are attached to begin with.
    """

    topology: Topology
    unix_s: int
    residents: Mapping[str, Resident]
    domains: Mapping[str, Keys]
    groups: Mapping[str, Address]
    names: Mapping[bytes, str]
    public: tuple[bytes, ...]
    private: Mapping[str, tuple[bytes, ...]]
    governance: Governance | None = None

    @property
    def trust(self) -> dict[str, str]:
        """Domain name to its key, as configurations have it."""
        return {name: keys.identity_key.hex() for name, keys in self.domains.items()}

    def config_of(self, node: str) -> dict[str, dict[str, object]]:
        """Return what differs from its services' own configuration at a node, by service."""
        config = self.topology.nodes[node].config
        return {service: configured(values, self._address_of) for service, values in config.items()}

    def _address_of(self, name: str) -> str:
        group = self.groups.get(name)
        return format_address(self.residents[name].address if group is None else group)

    def node_records(
        self, endpoint_of: Callable[[str], str], service_number: Callable[[str], int]
    ) -> tuple[bytes, ...]:
        """Return signed envelopes of the nodes.

        Args:
            endpoint_of: Node name to endpoint; in a lab with impairments each sees others at an
                endpoint of the link between them.
            service_number: Service name to number.
        """
        return tuple(
            seal_record(
                NodeRecord(
                    address=self.residents[plan.name].address,
                    name=plan.name,
                    identity_key=self.residents[plan.name].keys.identity_key,
                    pipe_key=self.residents[plan.name].keys.pipe_key,
                    endpoints=(endpoint_of(plan.name),),
                    services=tuple(service_number(service) for service in plan.services),
                    expires_unix_s=self.unix_s + LIFETIME_S,
                    location=plan.location,
                ),
                self.domains[plan.domain],
            )
            for plan in self.topology.nodes.values()
        )


def populate(
    topology: Topology,
    *,
    randomness: Callable[[str], bytes],
    unix_s: int,
    service_numbers: Mapping[str, int] = MappingProxyType({}),
) -> Population:
    """Make keys for everything in `topology` and sign who they are.

    Args:
        randomness: Label to 32 bytes: of the system, or of a seed.
        unix_s: Wall clock; the records hold for 7 days from then.
        service_numbers: By service name; of all that are guards of hosts.
    """
    domains = {name: make_keys(randomness(f"domain {name}")) for name in topology.domains}
    residents: dict[str, Resident] = {}
    for plan in topology.residents:
        keys = make_keys(randomness(f"resident {plan.name}"))
        number = topology.domains[plan.domain].number
        residents[plan.name] = Resident(plan.name, keys, keys.address(number))
    groups = {
        plan.name: make_group_address(
            topology.domains[plan.domain].number, domains[plan.domain].identity_key, plan.name
        )
        for plan in topology.groups.values()
    }
    expires_unix_s = unix_s + LIFETIME_S
    public = [
        seal_record(
            DomainRecord(
                plan.name,
                plan.number,
                expires_unix_s,
                providers=tuple(topology.domains[name].number for name in plan.providers),
            ),
            domains[plan.name],
        )
        for plan in topology.domains.values()
    ]
    private: dict[str, list[bytes]] = {name: [] for name in topology.domains}
    for host in topology.hosts.values():
        own = _host_records(host, residents, domains[host.domain], service_numbers, unix_s=unix_s)
        for domain in dict.fromkeys((host.domain, *(_domain_of(node) for node in host.nodes))):
            private[domain] += own
    numbers = {name: plan.number for name, plan in topology.domains.items()}
    public += (
        _group_record(
            group,
            groups[group.name],
            residents,
            numbers,
            domains[group.domain],
            unix_s=unix_s,
        )
        for group in topology.groups.values()
    )
    governance = None
    if any(plan.operator for plan in topology.domains.values()):
        governor = make_keys(randomness("governance"))
        governance = Governance(frozenset({governor.identity_key}), 1)
        public.append(_domain_list(topology, domains, governor, expires_unix_s))
    names = {bytes(resident.address): resident.name for resident in residents.values()}
    names |= {bytes(address): name for name, address in groups.items()}
    return Population(
        topology,
        unix_s,
        residents,
        domains,
        groups,
        names,
        tuple(public),
        {domain: tuple(records) for domain, records in private.items()},
        governance,
    )


def _domain_list(
    topology: Topology, domains: Mapping[str, Keys], governor: Keys, expires_unix_s: int
) -> bytes:
    """Return the list in which governance says who runs each domain.

    Raises:
        ConfigError: it says what a list may not, such as an operator that is no name.
    """
    listed = tuple(
        ListedDomain(
            plan.name,
            plan.number,
            domains[plan.name].identity_key,
            expires_unix_s,
            "" if plan.operator == plan.name else plan.operator,
        )
        for plan in topology.domains.values()
    )
    body = DomainList(1, expires_unix_s, (governor.identity_key,), 1, listed)
    if (reason := why_malformed(body)) is not None:
        raise ConfigError(f"domains: {reason}")
    return seal_list(body, [governor])


def _domain_of(name: str) -> str:
    return name.partition(".")[2]


def _host_records(
    plan: HostPlan,
    residents: Mapping[str, Resident],
    domain: Keys,
    service_numbers: Mapping[str, int],
    *,
    unix_s: int,
) -> tuple[bytes, bytes]:
    who = residents[plan.name]
    enrolment = Enrolment(
        address=who.address,
        names=(plan.name, *plan.aliases),
        identity_key=who.keys.identity_key,
        pipe_key=who.keys.pipe_key,
        expires_unix_s=unix_s + LIFETIME_S,
    )
    attachment = AttachmentRecord(
        host=who.address,
        nodes=tuple(residents[node].address for node in plan.nodes),
        sequence=unix_s * 1_000_000,
        expires_unix_s=unix_s + LIFETIME_S,
        guards=tuple(service_numbers[guard] for guard in plan.guards) or None,
    )
    return seal_record(enrolment, domain), seal_record(attachment, who.keys)


def _group_record(  # noqa: PLR0913 all that it is made of
    plan: GroupPlan,
    address: Address,
    residents: Mapping[str, Resident],
    numbers: Mapping[str, int],
    owner: Keys,
    *,
    unix_s: int,
) -> bytes:
    record = GroupRecord(
        group=address,
        name=plan.name,
        owner_key=owner.identity_key,
        nodes=tuple(residents[node].address for node in plan.nodes),
        sequence=unix_s * 1_000_000,
        expires_unix_s=unix_s + LIFETIME_S,
        senders=_allowed(plan.senders, residents, numbers),
        members=_allowed(plan.members, residents, numbers),
    )
    return seal_record(record, owner)


def _allowed(
    names: tuple[str, ...] | None, residents: Mapping[str, Resident], numbers: Mapping[str, int]
) -> tuple[int | bytes, ...]:
    if names is None:
        return (EVERYBODY,)
    domains = sorted(numbers[name] for name in names if name in numbers)
    return (*domains, *sorted(residents[name].address for name in names if name in residents))
