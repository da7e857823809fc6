"""Laws 5 and 6: what three hosts get through a real datapath, with a cache and without one.

alice ──┐
bob ────┤ node: datapath, the module
carol ──┘
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import msgspec

from ei.conform.cases import Case
from ei.conform.drawing import (
    ALICE,
    BOB,
    CAROL,
    NEWS,
    SELF,
    SUBJECTS,
    WEATHER,
    messages_of,
)
from ei.conform.verdicts import KEPT, NONE, Verdict, broken
from ei.runtime.loader import LoadedService, load_afresh, load_service
from ei.sdk import (
    Attachment,
    AttachmentOf,
    Group,
    GroupOf,
    PacketArrived,
    Query,
    Record,
    Route,
    ServiceAt,
)
from ei.testing.crossroads import Crossroads, Received

HOSTS = {"alice": ALICE, "bob": BOB, "carol": CAROL}
REACH = 18
"""The one service that asks where a service is; here it is asked for itself."""

RECORDS: dict[Query, Record] = {
    AttachmentOf(CAROL): Attachment(CAROL, (SELF,)),
    GroupOf(NEWS): Group(NEWS, (SELF,)),
    ServiceAt(REACH): Route((CAROL,)),
}
METADATA = (b"", BOB, CAROL, SELF, NEWS, WEATHER, bytes(16), *SUBJECTS)
ROUNDS = 3
CACHE_ENTRIES = 1_024
MOST_OF_STORY = 200
DELIVERY = "delivery"


class Delivered(NamedTuple):
    """What came of it.

    Attributes:
        received: By hosts, in an order that says nothing.
        books: The node's statistics.
    """

    received: list[Received]
    books: Mapping[str, object]


@cache
def load_delivery() -> LoadedService:
    """Load the service that modules are chained to, once: in a jail there are no files for it."""
    return load_service(DELIVERY)


def check_soft_decisions(case: Case) -> Verdict:
    """Law 5: the same arrives with a cache that keeps nothing."""
    if case.runaway is not KEPT:
        return NONE  # nobody watches over a simulation
    is_chained = not deliver(case, cache_entries=CACHE_ENTRIES).received
    with_cache = deliver(case, cache_entries=CACHE_ENTRIES, is_chained=is_chained).received
    without = deliver(case, cache_entries=0, is_chained=is_chained).received
    for seen, expected in zip(without, with_cache, strict=False):
        if seen != expected:
            return broken(0, f"without a cache {_said(seen)}, with one {_said(expected)}")
    if len(without) != len(with_cache):
        counts = f"without a cache {len(without)} packets arrive, with one {len(with_cache)}"
        return broken(0, counts)
    return KEPT if with_cache else NONE


def check_fates(case: Case) -> Verdict:
    """Law 6: the books of the datapath balance."""
    if case.runaway is not KEPT:
        return NONE
    for cache_entries in (CACHE_ENTRIES, 0):
        said = unbalanced(deliver(case, cache_entries=cache_entries).books)
        if said:
            return broken(0, f"with a cache of {cache_entries} entries: {said}")
    return KEPT


def deliver(case: Case, *, cache_entries: int, is_chained: bool = False) -> Delivered:
    """Let three hosts say all that they can to a node and through it.

    Args:
        case: The module, and packets that are sent as well.
        cache_entries: Of the node's decision cache.
        is_chained: Whether the module stands before delivery in its chain, and packets name that.
    """
    loaded = load_afresh(case.loaded)
    services, named, chains = _chained(loaded) if is_chained else ([loaded], loaded.manifest.id, {})
    rig = Crossroads(
        services, list(HOSTS), records=RECORDS, cache_entries=cache_entries, chains=chains
    )
    for message in messages_of(loaded)[:2]:  # of the first kind: what a host says to begin with
        rig.control("bob", loaded.manifest.id, message)
        rig.control("carol", loaded.manifest.id, message)
    rig.settle()
    for number in range(ROUNDS):
        for metadata in METADATA:
            for host in ("alice", "bob"):
                payload = b"%d from " % number + host.encode()
                rig.send(host, named, payload, metadata=metadata)
        rig.settle()
        rig.pass_time(0.5)
    _send_story(rig, case, named)
    rig.pass_time(1.5)
    return Delivered(rig.take_received(), rig.node.statistics())


def unbalanced(statistics: Mapping[str, object]) -> str:
    """Say which of the books of law 6 does not balance; empty when all do."""
    books = msgspec.convert(statistics, dict[str, Any])
    dropped, missed_dropped, copies_dropped = (
        sum(books[name].values()) for name in ("dropped", "missed_dropped", "copies_dropped")
    )
    received = sum(books[name] for name in ("forwarded", "delivered", "consumed", "missed"))
    missed = sum(books[name] for name in ("answered", "passed", "waiting"))
    copies = sum(books[name] for name in ("sent", "copies_ended", "copies_waiting"))
    if books["received"] != received + dropped:
        return "a received packet without a fate"
    if books["missed"] != missed + missed_dropped:
        return "a missed packet without a fate"
    if books["copies"] != copies + copies_dropped:
        return "a copy without a fate"
    return ""


def _send_story(rig: Crossroads, case: Case, named: int) -> None:
    """Let hosts send the packets of the story that are theirs."""
    names = {address: name for name, address in HOSTS.items()}
    items = (item for step in case.story.steps for item in step.items)
    packets = (item.packet for item in items if isinstance(item, PacketArrived))
    own = [packet for packet in packets if packet.ingress in names]
    for number, packet in enumerate(own[:MOST_OF_STORY]):
        rig.send(
            names[packet.ingress],
            named,
            packet.payload or b"%d" % number,
            metadata=packet.metadata,
            connection=packet.connection,
        )
        rig.settle()


def _chained(loaded: LoadedService) -> tuple[list[LoadedService], int, dict[int, list[int]]]:
    """Return the module before delivery: services, number that packets name, chains."""
    last = load_delivery()
    named = last.manifest.id
    return [loaded, last], named, {named: [loaded.manifest.id, named]}


def _said(received: Received) -> str:
    return f"{received.host} gets {received.payload!r} on connection {received.connection}"
