"""What the records say of domains, arranged for routing: numbers, providers, whose key is whose."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ei.records.addresses import domain_number_of
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address


class Atlas:
    """Made once for each record set; several routers of one process may share it."""

    def __init__(self, records: RecordSet) -> None:
        self._numbers = {record.name: record.number for record in records.domains.values()}
        self._names = {number: name for name, number in self._numbers.items()}
        self._providers = {
            record.number: frozenset(record.providers) for record in records.domains.values()
        }
        self._signers: dict[bytes, tuple[int, Address]] = {}
        self._services: dict[Address, frozenset[int]] = {}
        self._node_names: dict[Address, str] = {}
        nodes: dict[int, list[Address]] = {}
        for address, record in sorted(records.nodes.items()):
            number = domain_number_of(address)
            nodes.setdefault(number, []).append(address)
            self._signers[record.identity_key] = (number, address)
            self._services[address] = frozenset(record.services)
            self._node_names[address] = record.name
        self._nodes = {number: tuple(addresses) for number, addresses in nodes.items()}

    def __repr__(self) -> str:
        return f"<Atlas of {len(self._names)} domains, {len(self._signers)} nodes>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atlas) and self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]

    @property
    def domains(self) -> Mapping[int, str]:
        """Number to name of each domain that is known."""
        return MappingProxyType(self._names)

    def number(self, name: str) -> int | None:
        """Return the number of a domain, `None` when there is no record of it."""
        return self._numbers.get(name)

    def name(self, number: int) -> str:
        """Return the name of a domain; its number as text when there is no record of it."""
        return self._names.get(number, str(number))

    def is_provider(self, provider: int, *, of: int) -> bool:
        """Return whether the record of the domain `of` lists `provider`."""
        return provider in self._providers.get(of, ())

    def nodes(self, domain: int) -> Sequence[Address]:
        """Return the nodes of a domain, in the order of their addresses."""
        return self._nodes.get(domain, ())

    def is_node(self, address: Address) -> bool:
        """Return whether there is a record of a node with this address."""
        return address in self._services

    def node_name(self, address: Address) -> str:
        """Return the name of a node, its address in hex when there is no record of it."""
        return self._node_names.get(address, address.hex())

    def services(self, node: Address) -> frozenset[int]:
        """Return the numbers of the services that the record of a node names."""
        return self._services.get(node, frozenset())

    def signer(self, key: bytes) -> tuple[int, Address] | None:
        """Return (domain, node) of an identity key; `None` when no node has it."""
        return self._signers.get(key)

    def _content(self) -> tuple[object, ...]:
        return self._numbers, self._providers, self._signers, self._services
