"""Which domains a packet passed, by the signed word of the nodes on its way."""

from itertools import pairwise

from ei.lab.lab import Lab
from ei.lab.topology import Topology

DELIVERY = 16
UP, ACROSS, DOWN = range(3)


async def domains_passed(lab: Lab, source: str, to: str) -> tuple[str, ...]:
    """Trace a ping between two hosts; return the domains of the nodes that say they had it.

    Raises:
        DeadlineError: the ping was not answered.
    """
    host = lab.host(source)
    _ = await host.ping(to, is_traced=True)
    account = await host.explain(DELIVERY, host.connection_to(to))
    names = (host.records.name_of(each.node) for each in account.statements)
    domains = [name.partition(".")[2] for name in names]
    return tuple(domain for at, domain in enumerate(domains) if domains[at - 1 : at] != [domain])


def has_valley(path: tuple[str, ...], topology: Topology) -> bool:
    """Return whether somebody on the path carries what neither neighbour pays for.

    A path goes up to providers, across to a peer at most once, and down to customers from there.
    """
    turned = UP
    for here, there in pairwise(path):
        match topology.neighbours(here).get(there):
            case "provider":
                step = UP
            case "peer":
                step = ACROSS
            case "customer":
                step = DOWN
            case None:
                return True
        if step < turned or step == turned == ACROSS:
            return True
        turned = step
    return False
