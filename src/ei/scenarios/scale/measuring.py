"""Runs one internet to its end, and says what it took."""

import asyncio
import ctypes
import gc
import resource
import sys
from functools import partial
from pathlib import Path
from random import Random

import msgspec

from ei.lab.clock import VirtualClock, run_virtual
from ei.routing import Memo
from ei.routing.policy import find_valley
from ei.scenarios.scale.hosts import SPREAD_S, Hosts
from ei.scenarios.scale.internet import Internet, Neighbours, make_internet
from ei.scenarios.scale.world import UNIX_S, World

QUIET_S = 3.0
"""No answer changed for so long: what waits for its turn waits for a second."""
LOOK_S = 0.5
MOST_S = 120.0
SEARCH_S = SPREAD_S + 5.0
MEMO_DIGESTS = 5_000_000
PAGE_BYTES = 4_096


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What an internet of so many domains took.

    Attributes:
        converged_s: From the moment that all pipes came up until no answer changed any more.
        routes: Pairs of domains of which one reaches the other.
        messages, bytes, announced: Control messages for that, their bytes, and what was announced.
        memory_bytes: That the process grew by, without the memo that all routers share.
        verified, verified_before: Signatures; those of the second kind by the memo.
        refused: Announcements that were not believed.
        hosts, found, slowest_s: Hosts that looked for another, that found it, and the longest time.
        searched_messages, searched_bytes: Between directories for that.
        arrived, valleys: Packets to what was found that arrived, and whose way had a valley.
        cuts_s: For each cut, until no answer changed any more.
        arrived_after_cuts: As `arrived`.
        cpu_s: Of the process, in all.
    """

    domains: int
    converged_s: float
    routes: int
    messages: int
    bytes: int
    announced: int
    memory_bytes: int
    verified: int
    verified_before: int
    refused: int
    hosts: int
    found: int
    slowest_s: float
    searched_messages: int
    searched_bytes: int
    arrived: int
    valleys: int
    cuts_s: tuple[float, ...]
    arrived_after_cuts: int
    cpu_s: float


def measure(
    domains: int, *, seed: int, hosts_per_domain: int, cuts: int, has_memo: bool
) -> Measured:
    """Let an internet of so many domains begin, its hosts meet, and some of its pipes be cut.

    Args:
        has_memo: Bytes that verified once in this process are good for all of its routers.
    """

    async def program(clock: VirtualClock) -> Measured:
        say = partial(_say, clock, domains)
        internet = make_internet(domains, seed=seed, unix_s=UNIX_S)
        before = resident_bytes()
        memo = Memo(limit=MEMO_DIGESTS if has_memo else 0)
        world = World(clock, internet, memo=memo, seed=seed)
        opened_s = clock.now_s
        world.open_pipes()
        say(f"{len(internet.edges)} pipes come up")
        converged_s = await _settle(clock, world) - opened_s
        say(f"converged after {converged_s:.1f} s")
        counts = [router.statistics() for router in world.routers.values()]
        memory_bytes = resident_bytes() - before - memo.size_bytes()
        hosts = Hosts(
            clock, internet, per_domain=hosts_per_domain, seed=seed, unix_s=round(world.unix_s)
        )
        await asyncio.sleep(SEARCH_S)
        say(f"{len(hosts.searches)} hosts have searched")
        walks = _walk_all(world, hosts)
        cuts_s = [await _cut(clock, world, each) for each in _choose(internet, cuts, seed=seed)]
        found_s = [each.found_s - each.began_s for each in hosts.searches if each.found_s]
        say(f"{len(cuts_s)} pipes were cut")
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Measured(
            domains=domains,
            converged_s=converged_s,
            routes=sum(each.origins for each in counts),
            messages=sum(each.sent_messages for each in counts),
            bytes=sum(each.sent_bytes for each in counts),
            announced=sum(each.announced for each in counts),
            memory_bytes=memory_bytes,
            verified=sum(each.verified for each in counts),
            verified_before=sum(each.verified_before for each in counts),
            refused=sum(sum(each.refused.values()) for each in counts),
            hosts=len(hosts.searches),
            found=len(found_s),
            slowest_s=max(found_s, default=0.0),
            searched_messages=hosts.messages,
            searched_bytes=hosts.bytes,
            arrived=len(walks),
            valleys=sum(find_valley(walk[::-1], world.atlas) is not None for walk in walks),
            cuts_s=tuple(cuts_s),
            arrived_after_cuts=len(_walk_all(world, hosts)),
            cpu_s=used.ru_utime + used.ru_stime,
        )

    return run_virtual(program)


def resident_bytes() -> int:
    """Return the memory of this process that is in RAM, without what is free in it."""
    _ = gc.collect()
    _ = ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def _say(clock: VirtualClock, domains: int, text: str) -> None:
    """Tell who waits: the largest size takes minutes."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _ = sys.stderr.write(
        f"{domains} domains: {text}"
        f" ({clock.now_s:.1f} s of virtual time, {used.ru_utime:.0f} s of CPU)\n"
    )
    _ = sys.stderr.flush()


async def _settle(clock: VirtualClock, world: World) -> float:
    """Return when no answer changed any more."""
    began_s = clock.now_s
    for _ in range(round(MOST_S / LOOK_S)):
        if clock.now_s - max(world.changed_s, began_s) >= QUIET_S:
            break
        await asyncio.sleep(LOOK_S)
    return world.changed_s


async def _cut(clock: VirtualClock, world: World, edge: Neighbours) -> float:
    began_s = clock.now_s
    world.cut_pipe(edge.one, edge.other)
    return max(await _settle(clock, world) - began_s, 0.0)


def _choose(internet: Internet, count: int, *, seed: int) -> list[Neighbours]:
    """Return pipes whose loss moves many: of domains with customers and with other providers."""
    providers: dict[int, int] = {}
    for edge in internet.transit:
        providers[edge.other] = providers.get(edge.other, 0) + 1
    above = {edge.one for edge in internet.transit}
    busy = [edge for edge in internet.transit if edge.other in above and providers[edge.other] > 1]
    chosen: dict[int, Neighbours] = {}
    for edge in Random(seed).sample(busy, len(busy)):
        _ = chosen.setdefault(edge.other, edge)
    return list(chosen.values())[:count]


def _walk_all(world: World, hosts: Hosts) -> list[list[int]]:
    """Return the domains that a packet of each host passes to the host that it has found."""
    walks = (
        world.path(each.source, world.domains[each.node])
        for each in hosts.searches
        if each.node is not None
    )
    return [walk for walk in walks if walk is not None]
