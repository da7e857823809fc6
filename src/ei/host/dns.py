"""Asks the DNS where a domain's nodes are: `_ei._udp.<domain>` SRV, and AAAA and A of its targets.

Uses the resolvers of /etc/resolv.conf, or those that `host.toml` names; see decision 0130.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from random import Random
from typing import cast

from dns.exception import DNSException
from dns.name import from_text
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV
from dns.resolver import Answer, NoAnswer, NoResolverConfiguration, Resolver

from ei.errors import UnreachableError
from ei.host.config import HostConfig
from ei.host.locating import Located, choose, in_order, nodes_at
from ei.records.dns_zone import SERVICE
from ei.records.endpoints import first_reachable, parse_endpoint
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

DEADLINE_S = 3.0
"""For all questions together: a host that finds no resolver goes on without."""
TRY_S = 1.0
MOST_TARGETS = 16
MIN_TTL_S = 60
MAX_TTL_S = 86_400
RETRY_S = 60
"""After the DNS did not answer."""


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """Which nodes to attach to, as the DNS says and the records know.

    Attributes:
        nodes: The first to be tried first; empty where it does not say.
        trouble: Why there are none, or which targets are no nodes; empty when all is well.
        ttl_s: When to ask again.
    """

    nodes: tuple[Address, ...]
    trouble: str
    ttl_s: int


def ask_dns(
    config: HostConfig,
    records: RecordSet,
    *,
    random: Random,
    present: Sequence[Address] = (),
) -> DnsAnswer | None:
    """Ask as `host.toml` says; `None` where it names no DNS domain. Waits for the answer.

    Args:
        present: Nodes that the host has: it keeps those that are still among the answers.
    """
    if not config.dns_domain:
        return None
    try:
        found = look_up(config.dns_domain, resolvers=config.resolvers)
    except UnreachableError as error:
        return DnsAnswer((), str(error), RETRY_S)
    reachable = {
        address: node
        for address, node in records.nodes.items()
        if first_reachable(node.endpoints, own=(config.bind,)) is not None
    }
    nodes, strangers = nodes_at(in_order(found.located, random=random), reachable)
    where = f"{SERVICE}.{config.dns_domain}"
    trouble = f"{where}: the records know no node at {', '.join(strangers)}" if strangers else ""
    if not found.located:
        trouble = f"{where}: the DNS says that there are no nodes"
    return DnsAnswer(tuple(choose(nodes, present=present)), trouble, found.ttl_s)


@dataclass(frozen=True, slots=True)
class Found:
    """What the DNS said, and for how many seconds it is worth anything: 60 to 86_400."""

    located: tuple[Located, ...]
    ttl_s: int


def look_up(domain: str, *, resolvers: Sequence[str] = (), deadline_s: float = DEADLINE_S) -> Found:
    """Ask where the nodes of a DNS domain are. Waits for the answer.

    Args:
        resolvers: Endpoints; none means those of the system.

    Raises:
        UnreachableError: no answer in time, or no such records: what the resolver said.
    """
    name = f"{SERVICE}.{domain.rstrip('.')}."
    asking = _Asking(resolvers, time.monotonic() + deadline_s)
    try:
        answer = asking.ask(name, "SRV")
    except DNSException as error:
        raise UnreachableError(
            f"the DNS does not say where the nodes of {domain} are: {_said(error)}",
            remedy=f"See what it says: dig SRV {name}",
        ) from error
    records = [cast("SRV", each) for each in answer][:MOST_TARGETS]
    located = tuple(
        Located(
            each.target.to_text(omit_final_dot=True),
            each.priority,
            each.weight,
            tuple(asking.endpoints(each.target.to_text(), each.port)),
        )
        for each in records
        # A target of "." says that the service is decidedly not there (RFC 2782).
        if each.target != from_text(".")
    )
    return Found(located, min(max(asking.ttl_s, MIN_TTL_S), MAX_TTL_S))


class _Asking:
    """Questions that share one deadline; `ttl_s` is the shortest of all answers."""

    def __init__(self, resolvers: Sequence[str], until_s: float) -> None:
        self._until_s = until_s
        self._resolver = Resolver(configure=not resolvers) if resolvers else None
        if self._resolver is not None:
            at = [parse_endpoint(each) for each in resolvers]
            self._resolver.nameservers = [str(address) for address, _ in at]
            self._resolver.nameserver_ports = {str(address): port for address, port in at}
        self.ttl_s = MAX_TTL_S

    def ask(self, name: str, kind: str) -> Answer:
        if self._resolver is None:
            self._resolver = Resolver()
        self._resolver.timeout = TRY_S
        left_s = max(self._until_s - time.monotonic(), 0.01)
        answer = self._resolver.resolve(name, kind, lifetime=left_s, search=False)
        if answer.rrset is not None:
            self.ttl_s = min(self.ttl_s, answer.rrset.ttl)
        return answer

    def endpoints(self, target: str, port: int) -> list[str]:
        """Return where a target is; what is not answered is left out."""
        found: list[str] = []
        for kind in ("AAAA", "A"):
            try:
                answer = self.ask(target, kind)
            except DNSException:
                continue
            for each in answer:
                address = ip_address(cast("A | AAAA", each).address)
                found.append(f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}")  # noqa: PLR2004 IPv6
        return found


def _said(error: DNSException) -> str:
    match error:
        case NoAnswer():
            return "no SRV record there"
        case NoResolverConfiguration():
            return "this machine has no resolver in /etc/resolv.conf"
        case _:
            return str(error).rstrip(".") or type(error).__name__
