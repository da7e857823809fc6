"""Which domains a packet passed, by the signed word of the nodes on its way."""

from itertools import pairwise

from ei.lab.lab import Lab
from ei.lab.topology import Topology

DELIVERY = 16
TRIES = 3
UP, ACROSS, DOWN = range(3)


async def domains_passed(lab: Lab, source: str, to: str) -> tuple[str, ...]:
    """Trace a ping between two hosts; return the domains of the nodes that say they had it.

    Some nodes may be too busy to say so: then it is asked again, about another ping.

    Raises:
        DeadlineError: the ping was not answered.
    """
    host = lab.host(source)
    path: tuple[str, ...] = ()
    for _ in range(TRIES):
        _ = await host.ping(to, is_traced=True)
        account = await host.explain(DELIVERY, host.connection_to(to))
        domains = [host.records.name_of(each.node).partition(".")[2] for each in account.statements]
        path = tuple(b for a, b in pairwise(("", *domains)) if a != b)
        if path[-1:] == (lab.topology.hosts[lab.topology.find(to)].domain,):
            break
    return path


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
