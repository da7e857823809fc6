"""Two nodes of one exchange: what is published at one reaches those at the other."""

from collections.abc import AsyncIterator

from ei.errors import DeadlineError
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise
from ei.services.pubsub.client import HISTORY, PubSub, Subscription, open_pubsub

MESSAGES = 200
FIRST = b"first"
JOIN_LIMIT_S = 2.0


async def exchanged(lab: ProcessLab) -> AsyncIterator[Promise]:
    """Publish at one node, subscribe at the other, before and after."""
    numbers = [number.to_bytes(4, "big") for number in range(MESSAGES)]
    async with (
        open_pubsub(lab.host("alice")) as alice,
        open_pubsub(lab.host("carol")) as carol,
        carol.subscribe("news/#", kept=False) as live,
        carol.subscribe("news/+", name="carol") as log,
    ):
        joined_s = await until(lab, lambda: reaches(alice, live), limit_s=JOIN_LIMIT_S)
        yield promise("two nodes are an exchange", joined_s, "<=", JOIN_LIMIT_S, unit="s")
        _ = await log.receive()
        sent = sum(alice.publish("news/live", number) for number in numbers)
        came = [(await live.receive()).data for _ in range(sent)]
        _ = [await log.receive() for _ in range(sent)]
        yield promise(
            "live messages, in order, at another node",
            sum(one == other for one, other in zip(came, numbers, strict=True)),
            "==",
            MESSAGES,
            unit="messages",
        )
        for number in numbers:
            _ = await alice.keep("news/kept", number)
        kept = [await log.receive() for _ in numbers]
        yield promise(
            "kept messages, in order, read at another node",
            sum(one.data == other for one, other in zip(kept, numbers, strict=True)),
            "==",
            MESSAGES,
            unit="messages",
        )
        log.acknowledge(kept[0])
        _ = await alice.keep("news/newest", b"now", retain=True)
    async with open_pubsub(lab.host("carol")) as carol:
        async with carol.subscribe("news/newest", retained=True, since=HISTORY) as late:
            newest = await late.receive()
        async with carol.subscribe("news/+", name="carol") as log:
            again = await log.receive()
    yield promise(
        "who comes back goes on after what it acknowledged, and gets what is retained",
        (newest.data, newest.is_retained, again.data) == (b"now", True, numbers[1]),
        "==",
        limit=True,
    )


async def reaches(publisher: PubSub, subscription: Subscription) -> bool:
    """Publish one; return whether it comes: nodes tell each other of subscriptions by and by."""
    _ = publisher.publish("news/live", FIRST)
    try:
        _ = await subscription.receive(deadline_s=0.1)
    except DeadlineError:
        return False
    return True
