"""The core: pings, streams over a bad link, a chain, multicast, a dead worker, a cut, and law 6."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from statistics import median

from ei.errors import DeadlineError
from ei.lab.accounts import count_copies, counters_of
from ei.lab.groups import Member, send_stream, sender, take_all, until_heard
from ei.lab.lab import Lab
from ei.lab.load import (
    all_pairs,
    carry,
    node_in_use,
    ping_pairs,
    until,
)
from ei.lab.promises import Promise, promise
from ei.lab.scale import Scale
from ei.lab.topology import Impairment

ECHO = 17
PORT = 7
DATAGRAMS = 100
STREAM_BYTES = 300_000
PACKETS = 300
RATE_PPS = 500.0
GROUP = "news.isp-a"
MEMBERS = ("amir", "bob", "bea", "carol", "chen")
BAD_LINK = Impairment(
    delay_ms=8, jitter_ms=4, loss=0.02, reorder=0.02, duplicate=0.01, corrupt=0.01
)
BACK_LIMIT_S = 5.0
EVENTS_PER_S = 50_000
"""Half of what `ei bench simulate` wants, which keeps no digest and has the machine for itself."""
NODE_LIMIT_BYTES = 1_048_576
HOST_LIMIT_BYTES = 65_536
WALL_LIMIT_S = 600.0


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Show all of it."""
    pairs = all_pairs(lab.hosts)
    met_s = await until(lab, lambda: all_answer(lab, pairs), limit_s=BACK_LIMIT_S)
    yield promise("every host reaches every other", met_s, "<=", BACK_LIMIT_S, unit="s")
    async for each in chain(lab):
        yield each
    async for each in bad_link(lab):
        yield each
    async for each in multicast(lab):
        yield each
    async for each in faults(lab):
        yield each
    homeless = sum(each.homeless for each in (await counters_of(lab)).values())
    yield promise("packets without a fate", homeless, "==", 0, unit="packets")


def at_scale(scale: Scale) -> Iterator[Promise]:
    """Hold a large simulation against what it must be able to do, and may take."""
    size = f"{scale.nodes:_} nodes, {scale.hosts:_} hosts"
    yield promise(f"{size}: hosts attached", scale.attached, "==", scale.hosts, unit="hosts")
    yield promise(f"{size}: pings answered", scale.answered, "==", scale.pings, unit="pings")
    yield promise(f"{size}: packets without a fate", scale.homeless, "==", 0, unit="packets")
    yield promise(
        f"{size}: events of {scale.events:_} a second, on each of {scale.processes} cores",
        round(median(scale.events_per_s)),
        ">=",
        EVENTS_PER_S,
        unit="events/s",
    )
    yield promise(
        f"{size}: memory of a node", scale.bytes_per_node, "<=", NODE_LIMIT_BYTES, unit="B"
    )
    yield promise(
        f"{size}: memory of an idle host", scale.bytes_per_host, "<=", HOST_LIMIT_BYTES, unit="B"
    )
    yield promise(f"{size}: all of it took", scale.wall_s, "<=", WALL_LIMIT_S, unit="s")


async def chain(lab: Lab) -> AsyncIterator[Promise]:
    """The operator's service is in the way of every packet, and decides once for each flow."""
    alice, bob = lab.host("alice"), lab.host("bob")
    node = node_in_use(alice)
    before = await misses(lab, node, "gauge")
    # Without receipts, since each that asks for one travels on a connection of its own.
    with bob.datagrams(PORT) as inbox, alice.datagrams() as outbox:
        arrived = 0
        for _ in range(DATAGRAMS):
            _ = outbox.try_send(bob.name, b"", port=PORT)
            with suppress(DeadlineError):
                _ = await inbox.receive(deadline_s=1.0)
                arrived += 1
    yield promise("datagrams through a chain", arrived, "==", DATAGRAMS, unit="datagrams")
    decided = await misses(lab, node, "gauge") - before
    yield promise(
        "of these the interposed service decided",
        decided,
        "<=",
        2,
        unit="packets",
        baseline=DATAGRAMS,
    )
    yield promise(
        "the interposed service was in the way",
        await misses(lab, node, "gauge") > 0,
        "==",
        limit=True,
    )


async def bad_link(lab: Lab) -> AsyncIterator[Promise]:
    """A stream over a link that loses, reorders, doubles and corrupts arrives as it was."""
    alice, bob = lab.host("alice"), lab.host("bob")
    for mine in alice_nodes(lab):
        for theirs in lab.topology.hosts[bob.name].nodes:
            await lab.impair(mine, theirs, BAD_LINK)
    content = hashlib.shake_256(b"core").digest(STREAM_BYTES)
    received = await carry(alice, bob, content)
    for mine in alice_nodes(lab):
        for theirs in lab.topology.hosts[bob.name].nodes:
            await lab.heal(mine, theirs)
    yield promise(
        "a stream over a bad link arrives as it was",
        hashlib.sha256(received).hexdigest(),
        "==",
        hashlib.sha256(content).hexdigest(),
        unit="SHA-256",
    )


async def multicast(lab: Lab) -> AsyncIterator[Promise]:
    """One copy on each pipe, whatever the number of members behind it."""
    members = [await Member.join(lab.host(name), GROUP) for name in MEMBERS]
    with sender(lab.host("alice"), GROUP) as channel:
        joined_s = await until_heard(lab, channel, members, limit_s=BACK_LIMIT_S)
        yield promise("a group works once it is joined", joined_s, "<=", BACK_LIMIT_S, unit="s")
        before = await counters_of(lab)
        sent = await send_stream(lab, channel, count=PACKETS, rate_pps=RATE_PPS)
    heard = await take_all(members, wait_s=0.5)
    copies = count_copies(before, await counters_of(lab), packets=sent)
    for member in members:
        await member.close()
    complete = sum(each.distinct == sent for each in heard)
    yield promise("members that heard every packet", complete, "==", len(MEMBERS), unit="hosts")
    yield promise(
        "packets heard twice", sum(each.duplicates for each in heard), "==", 0, unit="packets"
    )
    yield promise(
        "copies of a packet on a pipe",
        copies.per_pipe,
        "==",
        1.0,
        unit="copies",
        baseline=float(len(MEMBERS)),
        is_valid=sent == PACKETS,
    )


async def faults(lab: Lab) -> AsyncIterator[Promise]:
    """A dead worker and a cut cost what they must, and no longer than they must."""
    alice = lab.host("alice")
    node = node_in_use(alice)
    await lab.kill_worker(node, "echo")
    pings = await ping_pairs(lab, [("alice", name) for name in MEMBERS])
    unanswered = sum(ping.round_trip_s is None for ping in pings)
    yield promise(
        "other services do not notice a dead worker", unanswered, "==", 0, unit="lost pings"
    )
    back_s = await until(lab, lambda: echoes(lab), limit_s=BACK_LIMIT_S)
    yield promise("a dead worker is back", back_s, "<=", BACK_LIMIT_S, unit="s")

    await lab.cut(alice.name, node)
    moved_s = await until(
        lab, lambda: all_answer(lab, [("alice", "bob")]), limit_s=4 * BACK_LIMIT_S
    )
    yield promise(
        "a host moves to its other node when a link is cut",
        moved_s,
        "<=",
        4 * BACK_LIMIT_S,
        unit="s",
    )
    await lab.heal(alice.name, node)


def alice_nodes(lab: Lab) -> tuple[str, ...]:
    """Return the nodes of alice."""
    return lab.topology.hosts["alice.isp-a"].nodes


async def all_answer(lab: Lab, pairs: list[tuple[str, str]]) -> bool:
    """Return whether each of `pairs` answers within 300 ms."""
    pings = await ping_pairs(lab, pairs, deadline_s=0.3)
    return all(ping.round_trip_s is not None for ping in pings)


async def echoes(lab: Lab) -> bool:
    """Return whether echo answers alice on a new connection, which needs its worker."""
    with lab.host("alice").call(ECHO) as channel:
        try:
            _ = await channel.ask(b"anybody?", deadline_s=0.1)
        except DeadlineError:
            return False
    return True


async def misses(lab: Lab, node: str, service: str) -> int:
    """Return how many packets a service decided at a node."""
    status = await lab.node_status(node)
    return next(each.missed for each in status.services if each.name == service)
