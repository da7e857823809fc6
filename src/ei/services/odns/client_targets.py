"""Which node a host asks: one that offers it, and has another operator than the host's nodes."""

from collections.abc import Sequence
from random import Random

from ei.errors import DeniedError, EiError, NotFoundError
from ei.records.operators import require_different_operators
from ei.records.record_set import RecordSet
from ei.sdk import Address
from ei.services.odns.messages import ODNS


def check_target(target: Address, records: RecordSet, nodes: Sequence[Address]) -> Address:
    """Return a target if no operator has both it and one of a host's nodes.

    Raises:
        DeniedError: One has; says which, and what would help.
        NotFoundError: It is not known who runs them.
    """
    for node in nodes:
        require_different_operators([node, target], records)
    return target


def choose_target(
    records: RecordSet, nodes: Sequence[Address], failed: frozenset[Address], random: Random
) -> Address:
    """Return one of the targets that are left, any of them.

    Args:
        nodes: Of the host.
        failed: They have not answered lately.

    Raises:
        DeniedError: All are of the operators of the host's nodes.
        NotFoundError: No node offers it, or none that is left.
    """
    offering = [
        node.address
        for node in records.nodes.values()
        if ODNS in node.services and node.address not in nodes and node.address not in failed
    ]
    allowed: list[Address] = []
    why: EiError = NotFoundError(
        "no other node offers odns, of those this host has records of",
        remedy="Name one that does: ei dns --oblivious --target NODE",
    )
    for target in offering:
        try:
            allowed.append(check_target(target, records, nodes))
        except (DeniedError, NotFoundError) as error:
            why = error
    if not allowed:
        raise why
    return random.choice(sorted(allowed))
