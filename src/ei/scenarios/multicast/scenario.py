"""Multicast: one copy on each pipe to 64 receivers; lost packets and a dead node are made good."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import msgspec

from ei.lab.accounts import counters_of
from ei.lab.lab import Lab
from ei.lab.load import node_in_use, ping_pairs
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.multicast.counting import count
from ei.scenarios.multicast.crowd import crowd
from ei.scenarios.multicast.hearing import Listener, wait_for
from ei.scenarios.multicast.native import can_run, native
from ei.sdk import Address
from ei.services.multicast.client import MULTICAST, Sender, receive, send
from ei.services.multicast.messages import Graft
from ei.services.multicast.trees import rank

BACKENDS = ("processes",)
GROUP = "news.isp-a"
SENDER, STRANGER, EAVESDROPPER = "alice.isp-a", "mallory.isp-b", "eve.campus"
RECEIVERS = 64
NATIVE = ["b1.isp-b", "c1.campus"]
BLOCK_BYTES = 1_200
FILE_BYTES = 12_000_000
"""10,000 messages: a node keeps the last 8,192 of a stream, so that it gives some up meanwhile."""
FILE_BYTES_PER_S = 250_000.0
LOSS = 0.01
COUNTED, COUNTED_BYTES = 600, 1_000
RATE_PPS = 200.0
QUIET_S = 2.0
PINGS = 4
"""The fastest counts: the first ones open pipes and ask directories."""


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Join, count copies, send a file over bad links while a node of the tree dies, and leave.

    Last, without hosts and datapaths, what ten thousand receivers cost the nodes.
    """
    alice = lab.host(SENDER)
    names = [name for name in lab.hosts if name not in (SENDER, STRANGER, EAVESDROPPER)]
    listeners = [Listener(lab, lab.host(name), alice.address) for name in names]
    async with asyncio.TaskGroup() as tasks:
        hearing: list[asyncio.Task[None]] = []
        async with send(alice, GROUP) as sender:
            yield await joining(lab, sender, listeners, hearing, tasks)
            async for each in copies(lab, sender, listeners):
                yield each
        async for each in casting(lab, listeners):
            yield each
        async for each in leaving(lab, listeners[0]):
            yield each
        for task in hearing:
            _ = task.cancel()
        for listener in listeners:
            await listener.leave()
    if lab.backend != "simulation":  # programs of others take real sockets
        yield await behind_gateways(lab)
    for each in crowd(domains=100, nodes=3, receivers=10_000):
        yield each
    homeless = sum(each.homeless for each in (await counters_of(lab)).values())
    yield promise("packets without a fate", homeless, "==", 0, unit="packets")


async def joining(
    lab: Lab,
    sender: Sender,
    listeners: list[Listener],
    hearing: list[asyncio.Task[None]],
    tasks: asyncio.TaskGroup,
) -> Promise:
    """While alice speaks, all join at once, at nodes that know nothing of the group."""
    round_trips: dict[str, float] = {}
    for _ in range(PINGS):
        for ping in await ping_pairs(lab, [(each.host.name, SENDER) for each in listeners]):
            if ping.round_trip_s is not None:
                before = round_trips.get(ping.source, ping.round_trip_s)
                round_trips[ping.source] = min(before, ping.round_trip_s)
    speaking = tasks.create_task(_speak(sender))
    for each in listeners:
        await each.join(GROUP)
        hearing.append(tasks.create_task(each.hear()))
    await lab.sleep(QUIET_S)
    _ = speaking.cancel()
    beyond = [
        each.first_s - each.joined_s - round_trips.get(each.host.name, 0.0)
        for each in listeners
        if each.first_s is not None
    ]
    return promise(
        "join to first packet, beyond a round trip to the sender, the slowest of all receivers",
        round(max(beyond) * 1e3, 1) if len(beyond) == RECEIVERS else None,
        "<=",
        50.0,
        unit="ms",
    )


async def _speak(sender: Sender) -> None:
    while True:
        _ = sender.send(b"hello")
        await asyncio.sleep(1 / RATE_PPS)


async def copies(lab: Lab, sender: Sender, listeners: list[Listener]) -> AsyncIterator[Promise]:
    """Count what each pipe carries of a stream, while others try to send and to listen."""
    stranger, eavesdropper = lab.host(STRANGER), lab.host(EAVESDROPPER)
    first = sender.number
    async with send(stranger, GROUP) as strange, receive(eavesdropper, GROUP) as secret:
        # Asking politely is refused; so is what only nodes may ask.
        tree = bytes(stranger.find(GROUP)) + _root(lab)
        eavesdropper.send_control(MULTICAST, msgspec.msgpack.encode(Graft(tree)))
        await lab.sleep(QUIET_S)
        async with count(lab, COUNTED, sent=lambda: sender.sent) as crossings:
            for _ in range(COUNTED):
                _ = sender.send(bytes(COUNTED_BYTES)), strange.send(b"strange")
                await lab.sleep(1 / RATE_PPS)
            await wait_for(lab, listeners, sender.connection, first + COUNTED)
            await lab.sleep(QUIET_S)
        overheard = sum(gaps.next - gaps.first for gaps in secret.streams.values())
    nodes = len(lab.topology.nodes)
    yield promise(
        "pipes that carried the stream: the sender's, and one to each other node and receiver",
        crossings.pipes,
        "==",
        1 + (nodes - 1) + RECEIVERS,
        unit="pipes",
    )
    yield promise(
        "most copies of a packet on a pipe",
        crossings.most,
        "==",
        1.0,
        unit="copies",
        # Without multicast the sender's pipe would carry one for each receiver.
        baseline=float(RECEIVERS),
    )
    yield promise("fewest copies of a packet there", crossings.least, "==", 1.0, unit="copies")
    strange_heard = sum(each.strangers for each in listeners)
    yield promise("messages delivered of who may not send", strange_heard, "==", 0, unit="messages")
    yield promise("messages delivered to who may not join", overheard, "==", 0, unit="messages")


async def casting(lab: Lab, listeners: list[Listener]) -> AsyncIterator[Promise]:
    """A file at 1 % loss on every link; half-way the node dies that brings the tree into isp-b."""
    await _lose(lab, LOSS)
    alice = lab.host(SENDER)
    content = hashlib.shake_256(b"multicast").digest(FILE_BYTES)
    blocks = -(-FILE_BYTES // BLOCK_BYTES)

    def block(number: int) -> bytes | None:
        piece = content[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
        return piece if number < blocks else None

    dead = _entry(lab)
    silences: list[float] = []
    behind = [each for each in listeners if _is_behind(lab, each, dead)]
    async with send(alice, GROUP, find=block) as sender:
        began_s = lab.now_s()
        for number in range(blocks):
            early_s = began_s + number * BLOCK_BYTES / FILE_BYTES_PER_S - lab.now_s()
            if early_s > 0:
                await lab.sleep(early_s)
            while not sender.send(block(number) or b""):
                await lab.sleep(0.001)
            if number in (blocks // 4, blocks // 2):
                silences.append(_silence(behind))
                await (lab.kill(dead) if silences[1:] else lab.kill_worker(dead, "multicast"))
                for each in listeners:
                    each.forget_silence()
        silences.append(_silence(behind))
        await wait_for(lab, listeners, sender.connection, blocks)
        took_s = lab.now_s() - began_s
    await lab.start(dead)
    digest = hashlib.sha256(content).hexdigest()
    equal = [
        each
        for each in listeners
        if sender.connection in each.streams and each.streams[sender.connection].digest == digest
    ]
    yield promise(
        "receivers that have all of the file by its SHA-256", len(equal), "==", RECEIVERS,
        unit="hosts",
    )  # fmt: skip
    yield promise(
        f"longest silence at the {len(behind)} receivers behind the node that died",
        silences[2],
        "<=",
        1.0,
        unit="s",
    )
    yield promise(
        "the same when its service forgot all, a while before",
        silences[1],
        "<=",
        1.0,
        unit="s",
    )
    repaired = sum(each.repaired for each in listeners)
    yield promise(
        "messages that receivers lacked and got again", repaired, ">=", 1, unit="messages"
    )
    yield promise(
        "of these the sender sent again, beside all messages",
        round(sender.repeated / blocks, 4),
        "<=",
        0.05,
        unit="",
        # By the sender alone: most messages are lost somewhere.
        baseline=round(1 - (1 - LOSS) ** (RECEIVERS + len(lab.topology.nodes)), 2),
    )
    yield promise(
        "time for all of the file, beside that of sending it once",
        round(took_s / (FILE_BYTES / FILE_BYTES_PER_S), 3),
        "<=",
        1.1,
    )


def _silence(listeners: list[Listener]) -> float:
    return round(max(each.silence_s() for each in listeners), 3)


async def leaving(lab: Lab, listener: Listener) -> AsyncIterator[Promise]:
    """Who leaves hears nothing any more, soon."""
    await _lose(lab, 0.0)
    address = bytes(listener.host.find(GROUP))
    with listener.host.listen(48, metadata=address) as left:
        async with send(lab.host(SENDER), GROUP) as sender, asyncio.TaskGroup() as tasks:
            speaking = tasks.create_task(_speak(sender))
            await lab.sleep(QUIET_S)
            await listener.leave()
            left_s = lab.now_s()
            last_s = left_s
            while lab.now_s() - last_s < QUIET_S:
                before = len(left.inbox)
                await lab.sleep(0.01)
                if len(left.inbox) != before:
                    last_s = lab.now_s()
            _ = speaking.cancel()
    yield promise("leave to last packet", round(last_s - left_s, 3), "<=", 1.0, unit="s")


async def behind_gateways(lab: Lab) -> Promise:
    """Unmodified programs of IP multicast, on networks behind hosts of the group."""
    name = "datagrams that iperf receivers lack behind gateways"
    if not can_run():
        return unsupported(name, "==", 0, unit="datagrams")
    heard = await native(lab, GROUP, SENDER, NATIVE)
    is_heard = heard.receivers == len(NATIVE) and heard.sent > 0
    lacking = heard.lost if is_heard else None
    return promise(name, lacking, "==", 0, unit="datagrams")


async def _lose(lab: Lab, loss: float) -> None:
    """Lose packets on every link, or no longer."""
    nodes = list(lab.topology.nodes)
    links = [(host.name, node) for host in lab.topology.hosts.values() for node in host.nodes]
    links += [(a, b) for at, a in enumerate(nodes) for b in nodes[at + 1 :]]
    for a, b in links:
        bad = msgspec.structs.replace(lab.topology.impairment(a, b), loss=loss)
        await lab.impair(a, b, bad)


def _root(lab: Lab) -> Address:
    """Return the node at the root of the sender's tree."""
    alice = lab.host(SENDER)
    return alice.records.find(node_in_use(alice))


def _entry(lab: Lab) -> str:
    """Return the node by which the tree comes into isp-b."""
    alice = lab.host(SENDER)
    tree = bytes(alice.find(GROUP)) + _root(lab)
    nodes = [name for name, plan in lab.topology.nodes.items() if plan.domain == "isp-b"]
    return max(nodes, key=lambda name: rank(tree, alice.records.find(name)))


def _is_behind(lab: Lab, listener: Listener, node: str) -> bool:
    plans = lab.topology
    return plans.hosts[listener.host.name].domain == plans.nodes[node].domain
