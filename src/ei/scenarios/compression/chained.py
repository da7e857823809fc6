"""Any service may have compression in its chain: what is multicast is small, too."""

from collections.abc import AsyncIterator

from ei.errors import DeadlineError
from ei.host.channels import ServiceChannel
from ei.lab.groups import sender
from ei.lab.lab import Lab
from ei.lab.load import until
from ei.lab.promises import Promise, promise
from ei.scenarios.compression.ends import Tenant, sent_bytes
from ei.scenarios.compression.readings import readings
from ei.services.multicast.client import MULTICAST, join

GROUP = "news.isp-a"
READINGS, RATE_PPS = 200, 400.0
JOIN_LIMIT_S = 5.0
QUIET_S = 0.3


async def of_multicast(lab: Lab, alice: Tenant) -> AsyncIterator[Promise]:
    """What is multicast is a third as long between the nodes, and heard whole."""
    fresh = list(readings(10, READINGS))
    group = lab.host("alice").find(GROUP)
    async with join(lab.host("bob"), group, limit_items=4 * READINGS) as heard:
        with sender(alice.host, GROUP) as channel:

            async def is_heard() -> bool:
                _ = channel.send(b"first")
                return bool(await take(heard))

            _ = await until(lab, is_heard, limit_s=JOIN_LIMIT_S)
            plain_bytes, _ = await crossing(lab, channel, heard, fresh)
            await alice.offer(1, service=MULTICAST)
            _ = await crossing(lab, channel, heard, fresh[:20])
            packed_bytes, arrived = await crossing(lab, channel, heard, fresh)
    yield promise(
        "multicast readings that are heard whole",
        len(arrived & set(fresh)),
        "==",
        READINGS,
        unit="readings",
    )
    yield promise(
        "bytes of a multicast reading between the nodes",
        packed_bytes,
        "<=",
        round(plain_bytes - 2 / 3 * len(fresh[0]) + 1, 1),
        unit="B",
        baseline=plain_bytes,
    )


async def crossing(
    lab: Lab, channel: ServiceChannel, heard: ServiceChannel, payloads: list[bytes]
) -> tuple[float, set[bytes]]:
    """Send payloads; return how many bytes of each crossed, and what was heard."""
    before = await sent_bytes(lab)
    for payload in payloads:
        _ = channel.send(payload)
        await lab.sleep(1 / RATE_PPS)
    arrived = await take(heard)
    return round((await sent_bytes(lab) - before) / len(payloads), 1), arrived


async def take(heard: ServiceChannel) -> set[bytes]:
    """Return what was heard, until nothing came for a while."""
    payloads: set[bytes] = set()
    while True:
        try:
            payloads.add((await heard.receive(deadline_s=QUIET_S)).payload)
        except DeadlineError:
            return payloads
