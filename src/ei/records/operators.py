"""Who runs a domain, and whether nodes are run by different ones. Pure.

A company may run several domains, so that two domains are not two parties. Who runs which is signed
by governance (`operator` in its list of domains); no domain is asked. A domain of which the list
says nothing is its own operator, and is called as the domain is.
"""

from collections.abc import Sequence
from itertools import combinations

from ei.errors import DeniedError, NotFoundError
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address, domain_number_of


def operator_of(domain_number: int, records: RecordSet) -> str | None:
    """Return who runs a domain; `None` when nobody whom the reader trusts says which domain it is.

    Args:
        domain_number: Part of the addresses in it.
        records: Verified.
    """
    domain = records.numbers.get(domain_number)
    return None if domain is None else records.roots.operators.get(domain.name, domain.name)


def require_different_operators(nodes: Sequence[Address], records: RecordSet) -> None:
    """Accept a path on which no operator has two nodes.

    Args:
        nodes: On the path, in any order.
        records: Verified; the domain of each node must be among them.

    Raises:
        NotFoundError: it is not known which domain a node is of.
        DeniedError: two have one operator; says which two, whose they are, and what would help.
    """
    operators: list[tuple[Address, str]] = []
    for node in nodes:
        number = domain_number_of(node)
        operator = operator_of(number, records)
        if operator is None:
            raise NotFoundError(
                f"nobody says who runs {records.name_of(node)}: no record of domain {number}",
                remedy="A list of domains may have it: ei governance list",
            )
        operators.append((node, operator))
    for (first, one), (second, other) in combinations(operators, 2):
        if one == other:
            raise DeniedError(
                f"{_whose(first, records)} and {_whose(second, records)} are both run by {one};"
                " this path takes different operators",
                remedy="Choose a node of another operator: ei governance list says who runs what",
            )


def _whose(node: Address, records: RecordSet) -> str:
    return f"{records.name_of(node)} (domain {records.numbers[domain_number_of(node)].name})"
