"""Which nodes answer for which domain, and whom a node asks about what."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ei.directory.messages import Attached, Named, Query
from ei.records.addresses import domain_number_of
from ei.records.kinds import DomainRecord
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

UNNAMED_DIRECTORIES = 3
"""Of a domain that names none: those of its nodes with the smallest addresses. Two may die; each
more would cost every registration another signature to check and another write."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What the routing between domains says; the default knows of none.

    Attributes:
        towards: Numbers of the neighbour domains that lead to a domain, the preferred first.
        is_led: Whether a neighbour (the second) is led by this domain to another one (the first).
    """

    towards: Callable[[int], Iterable[int]] = lambda _: ()
    is_led: Callable[[int, int], bool] = lambda _to, _neighbour: False


NO_WAYS = Ways()


class Places:
    """What one node knows of directories.

    Args:
        address: The node's own.
        records: Of domains and nodes.
        ways: To the directories of domains that cannot be reached directly.

    Attributes:
        is_directory: This node answers for its own domain.
        directories: All that do, the preferred first.
    """

    def __init__(self, address: Address, records: RecordSet, ways: Ways = NO_WAYS) -> None:
        self._address = address
        self._ways = ways
        self._records = records
        self._directories: dict[int, tuple[Address, ...]] = {}
        self._number = domain_number_of(address)
        self.directories = self.directories_of(self._number)
        self.is_directory = address in self.directories

    def home_of(self, query: Query) -> DomainRecord | None:
        """Return the domain that a query is about; `None` when there is no record of it."""
        if isinstance(query, Named):
            return self._records.domains.get(query.name.partition(".")[2])
        address = query.host if isinstance(query, Attached) else query.address
        return self._records.numbers.get(domain_number_of(address))

    def is_own(self, query: Query) -> bool:
        """Return whether a query is about this node's own domain."""
        home = self.home_of(query)
        return home is not None and home.number == self._number

    def is_own_number(self, number: int) -> bool:
        """Return whether a number is that of this node's own domain."""
        return number == self._number

    def is_same_domain(self, node: Address) -> bool:
        """Return whether a node is of this node's own domain."""
        return domain_number_of(node) == self._number

    def answers(self, query: Query) -> bool:
        """Return whether this node is the one that answers it, out of its own records."""
        return self.is_directory and self.is_own(query)

    def may_ask(self, node: Address, query: Query) -> bool:
        """Return whether this node answers `node`: of this domain, about it, or led on by it."""
        home = self.home_of(query)
        neighbour = domain_number_of(node)
        if home is None or self._number in (home.number, neighbour):
            return True
        return self._ways.is_led(home.number, neighbour)

    def asked_about(self, query: Query) -> tuple[Address, ...]:
        """Return whom this node asks, the preferred first: never anybody abroad but a directory."""
        home = self.home_of(query)
        if home is None:
            return ()
        if self.is_directory and home.number != self._number:
            return self.directories_of(home.number)
        return tuple(node for node in self.directories if node != self._address)

    def asked_instead(self, query: Query) -> tuple[Address, ...]:
        """Return whom this node asks when nobody of the home domain can be reached.

        Directories of the domains that carry the traffic to it: they learn nothing by it that the
        traffic does not tell them.
        """
        home = self.home_of(query)
        if home is None or not self.is_directory or home.number == self._number:
            return ()
        neighbours = [each for each in self._ways.towards(home.number) if each != home.number]
        return tuple(node for each in neighbours for node in self.directories_of(each))

    def directories_of(self, number: int) -> tuple[Address, ...]:
        """Return the nodes that answer for a domain, the preferred first."""
        found = self._directories.get(number)
        if found is None:
            found = self._directories[number] = self._find(number)
        return found

    def is_sibling(self, node: Address) -> bool:
        """Return whether `node` answers for the same domain beside this one."""
        return self.is_directory and node != self._address and node in self.directories

    def _find(self, number: int) -> tuple[Address, ...]:
        domain = self._records.numbers.get(number)
        if domain is None:
            return ()
        nodes = self._records.nodes
        if domain.directories:
            return tuple(node for node in domain.directories if node in nodes)
        return tuple(sorted(node for node in nodes if domain_number_of(node) == number))[
            :UNNAMED_DIRECTORIES
        ]
