"""Six domains: hosts found by name, paths that somebody pays for, a service from afar, a cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise

from ei.errors import DeadlineError
from ei.lab.lab import Lab
from ei.lab.load import gather_bounded, until
from ei.lab.promises import Promise, promise
from ei.routing import ROUTING
from ei.routing.verifying import Reason
from ei.scenarios.domains.attacks import Domain, forged_origin, route_leak, shortened_path
from ei.scenarios.domains.paths import domains_passed, has_valley

ECHO = 17
MEET_LIMIT_S = 60.0
CUT_LIMIT_S = 1.0
PERIOD_S = 0.02
PEERS = ("isp-a", "isp-b")


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Meet by name, look at the paths, use a service of others, and lose a peering."""
    pairs = [(a, b) for a in lab.hosts for b in lab.hosts if a != b]
    met_s = await until(lab, lambda: all_answer(lab, pairs), limit_s=MEET_LIMIT_S)
    yield promise("every host reaches every other by name", met_s, "<=", MEET_LIMIT_S, unit="s")
    async for each in policy(lab):
        yield each
    async for each in service(lab):
        yield each
    async for each in lies(lab):
        yield each
    async for each in peering_cut(lab):
        yield each


async def policy(lab: Lab) -> AsyncIterator[Promise]:
    """Between any two domains packets take a path that somebody pays for."""
    firsts = {host.partition(".")[2]: host for host in reversed(list(lab.hosts))}
    pairs = [(a, b) for a in firsts for b in firsts if a != b]
    # A few at a time: nodes answer so many questions a second, and not more.
    calls = [domains_passed(lab, firsts[a], firsts[b]) for a, b in pairs]
    paths = await gather_bounded(calls, at_once=4)
    whole = sum(
        path[:1] == (a,) and path[-1:] == (b,) for path, (a, b) in zip(paths, pairs, strict=True)
    )
    yield promise("paths told from end to end", whole, "==", len(pairs), unit="paths")
    valleys = sum(has_valley(path, lab.topology) for path in paths)
    yield promise("paths with a valley", valleys, "==", 0, unit="paths")
    longest = max(map(len, paths))
    yield promise("domains on the longest path", longest, "<=", 4, unit="domains")


async def service(lab: Lab) -> AsyncIterator[Promise]:
    """A service that two domains offer answers the hosts of all."""
    answered = await gather_bounded([is_echoed(lab, host) for host in lab.hosts])
    yield promise(
        "hosts that use a service of two domains", sum(answered), "==", len(lab.hosts), unit="hosts"
    )


async def lies(lab: Lab) -> AsyncIterator[Promise]:
    """What a domain could say of routes that is not so is refused, each for its own reason."""
    # Who hears it has the ways that it had before: the true ones stay in use.
    before = {node: await paths_of(lab, node) for node in ("sn1.transit-a", "sn1.transit-b")}
    names = ("isp-a", "isp-b", "isp-c", "edge", "transit-a", "transit-b")
    a, b, c, edge, one, two = (
        Domain(lab.topology.domains[name].number, lab.keys_of(f"sn1.{name}")) for name in names
    )
    unix_s = lab.unix_s()
    told: tuple[tuple[Reason, str, str, bytes], ...] = (
        ("origin_forged", "isp-b", "transit-a", forged_origin(b, c, one.number, unix_s=unix_s)),
        (
            "path_shortened",
            "transit-b",
            "transit-a",
            shortened_path(two, c, edge, one.number, unix_s=unix_s),
        ),
        ("route_leak", "isp-b", "transit-b", route_leak(b, one, a, two.number, unix_s=unix_s)),
    )
    for reason, liar, hearer, message in told:
        await lab.say(f"sn1.{liar}", f"sn1.{hearer}", ROUTING, message)
        await lab.sleep(1.0)
        refused = (await lab.routes(f"sn1.{hearer}")).statistics.refused.get(reason, 0)
        name = f"{liar} to {hearer}: refused as {reason}"
        yield promise(name, refused, "==", 1, unit="announcements")
    changed = [node for node, paths in before.items() if await paths_of(lab, node) != paths]
    yield promise("routes that lies changed", len(changed), "==", 0, unit="routes")


async def paths_of(lab: Lab, node: str) -> dict[str, tuple[str, ...]]:
    """Return the path to each domain that a node uses."""
    return {row.domain: row.path for row in (await lab.routes(node)).routes}


async def peering_cut(lab: Lab) -> AsyncIterator[Promise]:
    """Two peers lose their links, and their traffic finds another way."""
    source, to = (next(host for host in lab.hosts if host.endswith(f".{p}")) for p in PEERS)
    before = await domains_passed(lab, source, to)
    yield promise("domains between two peers", len(before), "==", 2, unit="domains")
    gap_s = await gap_of_cut(lab, source, to)
    yield promise("traffic is back after the peering is cut", gap_s, "<=", CUT_LIMIT_S, unit="s")
    after = await domains_passed(lab, source, to)
    yield promise("domains on the way around", len(after), "==", 3, unit="domains")
    yield promise("a valley on the way around", has_valley(after, lab.topology), "==", limit=False)
    for a, b in links_between(lab, *PEERS):
        await lab.heal(a, b)


async def gap_of_cut(lab: Lab, source: str, to: str) -> float | None:
    """Cut all links between the peers under a flow; return the longest time without an answer."""
    arrived_s: list[float] = []
    with lab.host(to).datagrams(7) as inbox, lab.host(source).datagrams() as outbox:

        async def receive() -> None:
            while True:
                with suppress(DeadlineError):
                    _ = await inbox.receive(deadline_s=1.0)
                    arrived_s.append(lab.now_s())

        async with asyncio.TaskGroup() as group:
            receiving = group.create_task(receive())
            for number in range(round(4 / PERIOD_S)):
                if number == round(1 / PERIOD_S):
                    _ = await asyncio.gather(
                        *(lab.cut(a, b) for a, b in links_between(lab, *PEERS))
                    )
                _ = outbox.try_send(to, b"", port=7)
                await lab.sleep(PERIOD_S)
            _ = receiving.cancel()
    if len(arrived_s) < 1 / PERIOD_S or arrived_s[-1] < lab.now_s() - 1:
        return None
    return round(max(later - sooner for sooner, later in pairwise(arrived_s)), 3)


def links_between(lab: Lab, one: str, other: str) -> list[tuple[str, str]]:
    """Return the links between the nodes of two domains."""
    nodes = lab.topology.nodes.values()
    return [(a.name, b.name) for a in nodes for b in nodes if a.domain == one and b.domain == other]


async def all_answer(lab: Lab, pairs: list[tuple[str, str]]) -> bool:
    """Return whether each pair's ping by name is answered."""
    return all(await gather_bounded([answers(lab, *pair) for pair in pairs]))


async def answers(lab: Lab, source: str, to: str) -> bool:
    """Return whether a host answers another that knows its name alone."""
    try:
        _ = await lab.host(source).ping(to, deadline_s=2.0)
    except DeadlineError:
        return False
    return True


async def is_echoed(lab: Lab, host: str) -> bool:
    """Return whether the echo service answers a host within three tries."""
    with lab.host(host).call(ECHO) as channel:
        for _ in range(3):
            _ = channel.send(host.encode())
            with suppress(DeadlineError):
                return (await channel.receive(deadline_s=1.0)).payload == host.encode()
    return False
