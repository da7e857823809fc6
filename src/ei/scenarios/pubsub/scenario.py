"""Pub/sub: hot topics go natively, what is acknowledged stays, who is stuck harms nobody."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from ei.lab.brokers.beside import is_here
from ei.lab.brokers.programs import started
from ei.lab.brokers.rival_clients import INFLIGHT, Burst, Sent
from ei.lab.cpu_time import used_s
from ei.lab.foreign import environ_of
from ei.lab.lab import Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.lab.unsynced import losing
from ei.scenarios.pubsub.crowd import Counted, Crowd, Publisher
from ei.scenarios.pubsub.exchange import exchanged
from ei.scenarios.pubsub.ground import Ground, grounded
from ei.scenarios.pubsub.kept import Kept, publish, read
from ei.scenarios.pubsub.rivals import compared, jetstream
from ei.scenarios.pubsub.stuck import unharmed
from ei.services.pubsub.client import HISTORY, PubSub, open_pubsub

BACKENDS = ("processes",)
CROWD = 200
COPIES = 4
SUBJECTS = tuple(f"s/{number}" for number in range(CROWD // COPIES))
KEPT_SUBJECTS = tuple(f"k/{number}" for number in range(CROWD // COPIES))
MESSAGES_PER_S = 20_400
KEPT_PER_S = 2_100.0
"""Offered: a little more than what is promised."""
LOAD_S = 6.0
AFTER_S = 4.0
SETTLE_S = 0.5
PAUSE_S = 0.02
RETAINED = "r/newest"
DELIVERIES_LIMIT = 80_000.0
LATE_LIMIT = 0.1
KEPT_LIMIT = 2_000.0
ALONE_KEPT = 10_000
LIES_PER_S = 200.0
MODULE = "ei.scenarios.pubsub.crowd"


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Load a node, kill it, join late, be stuck, and run other brokers beside."""
    if not isinstance(lab, ProcessLab):
        yield unsupported("a crowd of real processes", "==", limit=True)
        return
    async for each in exchanged(lab):
        yield each
    names = [f"s{number}" for number in range(CROWD)]
    names += ["source", "alice", "bob", "carol", "dave", "frozen"]
    environ = environ_of(lab)
    async with grounded(names, environ, unix_s=lab.unix_s()) as ground:
        async for each in survived(ground, environ):
            yield each
        await ground.start(preloads={})
        async for each in unharmed(ground, environ, SUBJECTS):
            yield each
        async for each in compared(ground, environ):
            yield each
        yield await acknowledged(ground, environ)


# -- load, and a kill -----------------------------------------------------------------------------


async def survived(ground: Ground, environ: Mapping[str, str]) -> AsyncIterator[Promise]:
    """Load a node with both kinds of messages, and kill it with all that it has not synced."""
    preloads = losing(ground.folder, build=ground.folder)
    await ground.start(preloads=preloads)
    kept = Kept()
    async with (
        ground.host("alice.pubsub") as alice,
        ground.host("bob.pubsub") as bob,
        open_pubsub(alice) as publisher,
        open_pubsub(bob) as reader,
        reader.subscribe("k/#", name="judge", queue=1_000_000) as judge,
        read(judge, kept),
    ):
        async for each in loaded(ground, environ, publisher, kept, preloads=preloads):
            yield each
        _ = await publisher.keep(RETAINED, b"old", retain=True)
        _ = await publisher.keep(RETAINED, b"new", retain=True)
    yield promise(
        "acknowledged messages lost, though the node was killed with all it had not synced",
        kept.lost,
        "==",
        0,
        unit=f"of {len(kept.acknowledged)}",
        is_valid=len(kept.acknowledged) > KEPT_LIMIT,
    )
    yield promise("messages out of their publisher's order, or twice", kept.misplaced, "==", 0)
    yield await late(ground, kept)
    await asyncio.to_thread(ground.stop)
    yield await found_out(ground)


async def loaded(
    ground: Ground,
    environ: Mapping[str, str],
    publisher: PubSub,
    kept: Kept,
    *,
    preloads: Mapping[str, str],
) -> AsyncIterator[Promise]:
    """Publish both kinds at once, to a crowd that wants both; and again, and kill the node."""
    hosts = tuple(ground.order(f"s{number}.pubsub") for number in range(CROWD))
    wishes = tuple(SUBJECTS[number // COPIES] for number in range(CROWD))
    wishes_kept = tuple(KEPT_SUBJECTS[number // COPIES] for number in range(CROWD))
    crowd = Crowd(hosts=hosts, wishes=wishes, kept=wishes_kept, pause_s=PAUSE_S)
    source = Publisher(host=ground.order("source.pubsub"), subjects=SUBJECTS, data_bytes=100)
    folder = ground.folder
    async with (
        started(MODULE, "subscribe", order=crowd, environ=environ, folder=folder) as sinks,
        started(MODULE, "publish", order=source, environ=environ, folder=folder) as live,
    ):
        await asyncio.sleep(SETTLE_S)
        _ = await live.ask(Burst(count=len(SUBJECTS) * 4, per_s=1_000), Sent)
        await asyncio.sleep(SETTLE_S)
        _ = await sinks.ask(None, Counted)
        count = int(LOAD_S * MESSAGES_PER_S)
        burst = Burst(count=count, per_s=MESSAGES_PER_S)
        sent, _ = await asyncio.gather(
            live.ask(burst, Sent),
            publish(publisher, kept, KEPT_SUBJECTS, per_s=KEPT_PER_S, seconds=LOAD_S),
        )
        await asyncio.sleep(SETTLE_S)
        came = await sinks.ask(None, Counted)
        acknowledged_there, seconds = len(kept.acknowledged), kept.seconds
        async with asyncio.TaskGroup() as tasks:
            more = Burst(count=int(AFTER_S * MESSAGES_PER_S), per_s=MESSAGES_PER_S)
            _ = tasks.create_task(live.ask(more, Sent))
            loading = publish(publisher, kept, KEPT_SUBJECTS, per_s=KEPT_PER_S, seconds=AFTER_S)
            _ = tasks.create_task(loading)
            await asyncio.sleep(AFTER_S / 2)
            await asyncio.to_thread(ground.kill)
            await ground.start(preloads=preloads)
    is_offered = sent.seconds <= 1.1 * LOAD_S
    yield promise(
        f"deliveries to {CROWD} subscribers, each message to {COPIES}",
        round(came.received / sent.seconds),
        ">=",
        DELIVERIES_LIMIT,
        unit="1/s",
        is_valid=is_offered,
    )
    yield promise(
        "of them after a later one of their publisher, which a subscriber drops",
        round(100 * came.late / max(1, came.received), 3),
        "<=",
        LATE_LIMIT,
        unit="%",
    )
    yield promise(
        "beside them acknowledged publishes",
        round(acknowledged_there / seconds),
        ">=",
        KEPT_LIMIT,
        unit="1/s",
    )
    missing = COPIES * acknowledged_there - came.kept
    yield promise(
        "of them copies that did not come as packets",
        round(100 * missing / max(1, COPIES * acknowledged_there), 2),
        "<=",
        1.0,
        unit="%",
    )


async def late(ground: Ground, kept: Kept) -> Promise:
    """Let somebody come late, and hold what it gets against what was acknowledged."""
    wanted = ["new", *map(str, kept.acknowledged)]
    found: list[str] = []
    async with ground.host("dave.pubsub") as dave, open_pubsub(dave) as bus:
        async with bus.subscribe(RETAINED, retained=True) as newest:
            found.append((await newest.receive()).data.decode())
        missing = set(kept.acknowledged)
        last, is_ordered = -1, True
        async with bus.subscribe("k/#", since=HISTORY, queue=1_000_000) as history:
            while missing:
                number = int.from_bytes((await history.receive()).data[:8], "little")
                missing.discard(number)
                is_ordered, last = is_ordered and number > last, number
    name = f"late joiner: the newest retained value, and {len(wanted) - 1} messages in order"
    return promise(name, found == ["new"] and is_ordered, "==", limit=True)


async def found_out(ground: Ground) -> Promise:
    """Kill a node whose disk lies about what it has synced: that must be seen, or nothing is."""
    preloads = losing(ground.folder, build=ground.folder, is_lying=True)
    await ground.start(preloads=preloads)
    kept = Kept()
    async with ground.host("alice.pubsub") as alice, open_pubsub(alice) as bus:
        await publish(bus, kept, ("lie/1",), per_s=LIES_PER_S, seconds=1.0)
    await asyncio.to_thread(ground.kill)
    await ground.start(preloads=preloads)
    async with (
        ground.host("alice.pubsub") as alice,
        open_pubsub(alice) as bus,
        bus.subscribe("lie/#", since=HISTORY) as history,
        read(history, kept),
    ):
        pass
    await asyncio.to_thread(ground.stop)
    name = "of messages acknowledged on a disk that lies about syncs a kill loses, as it must"
    return promise(name, kept.lost, ">=", 1, unit=f"of {len(kept.acknowledged)}")


# -- beside JetStream -----------------------------------------------------------------------------


async def acknowledged(ground: Ground, environ: Mapping[str, str]) -> Promise:
    """Publish what is acknowledged as fast as it goes, here and to JetStream that syncs always."""
    kept = Kept()
    async with ground.host("alice.pubsub") as alice, open_pubsub(alice) as bus:
        began_s = await asyncio.to_thread(used_s, {ground.pid})
        await publish(bus, kept, SUBJECTS, per_s=1e9, seconds=LOAD_S, at_once=INFLIGHT)
        ours_us = (await asyncio.to_thread(used_s, {ground.pid}) - began_s) * 1e6
    rate = len(kept.acknowledged) / kept.seconds
    baseline, theirs = None, "JetStream is not here"
    if is_here("NATS"):
        async with jetstream(ground.folder, environ) as (pid, publisher):
            began_s = await asyncio.to_thread(used_s, {pid})
            sent = await publisher.ask(Burst(count=ALONE_KEPT // 2, per_s=0), Sent)
            theirs_us = (await asyncio.to_thread(used_s, {pid}) - began_s) * 1e6
        baseline = round(sent.sent / sent.seconds)
        theirs = f"of JetStream with sync_interval: always {theirs_us / sent.sent:.0f}"
    cost = f"{ours_us / max(1, len(kept.acknowledged)):.0f} us of CPU each, {theirs}"
    return promise(
        f"acknowledged publishes alone, {cost}",
        round(rate),
        ">=",
        KEPT_LIMIT,
        unit="1/s",
        baseline=baseline,
    )
