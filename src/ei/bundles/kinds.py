"""Whether each service of a chain takes what the one before it gives, at every node of the way.

    host ─▶ visits ─▶ behind ═pipe═▶ visits ─▶ behind ═pipe═▶ ... visits ─▶ behind ─▶ host

At each node the chain runs anew, on what the node before has sent: until that repeats itself. Who
gives plain takes off what is outermost: of what was compressed and then sealed, the seal.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations

from ei.bundles.bundle import MAX_NODES
from ei.bundles.expanding import Chain, Link
from ei.bundles.faults import Fault
from ei.sdk.composition import Kind
from ei.sdk.manifest import Manifest

Payload = tuple[Kind, ...]
"""What a payload is, and within it, and so on: the innermost first."""

AT_FIRST = "at the first node"
AT_NEXT = "at the next node"
MAX_ORDERS = 10_000
"""Tried for one that fits: all, of seven services."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A service that does not take what comes to it.

    Attributes:
        link: Which.
        kind: What would come.
        giver: Who gives it: a service, or the host or the node before.
        where: At which node.
    """

    link: Link
    kind: Kind
    giver: str
    where: str


@dataclass(frozen=True, slots=True)
class Flow:
    """What payloads are on their way.

    Attributes:
        to_host: What a host gets that is attached to the first node, to the next one, and so on.
        refused: Where it ends.
    """

    to_host: tuple[Kind, ...]
    refused: Refusal | None = None


def flow_of(chain: Chain, takes: Kind) -> Flow:
    """Return what a chain makes of what hosts send."""
    coming: Payload = (takes,)
    on_pipes, to_host = list[Payload](), list[Kind]()
    sender = chain.visits[-1].name
    where, giver = AT_FIRST, "the host"
    for _ in range(MAX_NODES):
        visits = chain.visits_at(is_first=where == AT_FIRST)
        visited = _pass(visits, coming, giver=giver, where=where)
        if isinstance(visited, Refusal):
            return Flow(tuple(to_host), visited)
        ends = [
            _pass(chain.behind_to(is_host=is_host), visited, giver=sender, where=where)
            for is_host in (True, False)
        ]
        for end in ends:
            if isinstance(end, Refusal):
                return Flow(tuple(to_host), end)
        given, sent = (end for end in ends if not isinstance(end, Refusal))
        to_host.append(given[-1])
        if sent in on_pipes:
            break
        on_pipes.append(sent)
        coming, where, giver = sent, AT_NEXT, "the node before"
    return Flow(tuple(to_host))


def faults_of(
    chain: Chain, takes: Kind, gives: Kind, *, line: int, known: Iterable[Manifest]
) -> Iterator[Fault]:
    """Yield what does not fit.

    Args:
        line: That says what the bundle takes and gives.
        known: Services that might help.
    """
    flow = flow_of(chain, takes)
    if (refused := flow.refused) is not None:
        link, kind = refused.link, refused.kind
        taken = " or ".join(link.port.takes) if link.port else "nothing"
        said = (
            f"{link.name} takes {taken}, and {refused.where} what comes from {refused.giver}"
            f" is {kind}"
        )
        fix = _remedy(chain, takes, gives, refused, known)
        yield Fault("wrong_kind", link.line, said, fix)
        return
    for at, kind in enumerate(flow.to_host):
        if kind != gives:
            where = AT_NEXT if at else AT_FIRST
            said = f"a host {where} would get what is {kind}; the bundle says that it gives {gives}"
            fix = f'Say gives = "{kind}", or put in a service that gives {gives}.'
            yield Fault("wrong_end", line, said, fix)
            return


def _pass(links: Sequence[Link], payload: Payload, *, giver: str, where: str) -> Payload | Refusal:
    for link in links:
        kind, port = payload[-1], link.port
        if port is None or kind not in port.takes:
            return Refusal(link, kind, giver, where)
        payload, giver = _given(payload, port.gives), link.name
    return payload


def _given(payload: Payload, gives: Kind | None) -> Payload:
    if gives in (None, payload[-1]):
        return payload
    if gives == "plain":
        return payload[:-1] or ("plain",)
    return (*payload, gives)


def _remedy(
    chain: Chain, takes: Kind, gives: Kind, refused: Refusal, known: Iterable[Manifest]
) -> str:
    """Return an order of the same services that fits, or who could stand between."""
    for other in islice(_orders(chain), MAX_ORDERS):
        flow = flow_of(other, takes)
        if flow.refused is None and set(flow.to_host) == {gives}:
            return f"This order fits: {', '.join(link.name for link in other.links)}."
    taken = refused.link.port.takes if refused.link.port else ()
    wanted = " or ".join(taken)
    helpers = sorted(
        service.name
        for service in known
        if service.hands_on
        and service.name != refused.link.name
        and service.in_chain.out(refused.kind) in taken
    )
    if helpers:
        return f"Put before it what makes {wanted} of it: {', '.join(helpers)}."
    return f"No order of these services fits, and no service known here makes {wanted} of it."


def _orders(chain: Chain) -> Iterator[Chain]:
    *before, sender = chain.visits
    for visits in permutations(before):
        for behind in permutations(chain.behind):
            yield Chain((*visits, sender), behind)
