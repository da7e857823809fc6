"""What each service does as a rule, by packets or by streams, for `ei bench services`.

A service has no figures until it is said here what it does: an entry of `PACKETS` or `STREAMS`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from ei.records.addresses import format_address
from ei.records.keys import make_keys
from ei.sdk import (
    Address,
    Attachment,
    AttachmentOf,
    Event,
    Group,
    GroupOf,
    Legacy,
    Node,
    NodeAt,
    Operator,
    OperatorOf,
    Query,
    Record,
    Resolved,
    Route,
    RouteTo,
    ServiceAt,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
)
from ei.services.caching.messages import Site
from ei.services.caching.messages import write_opening as write_site
from ei.services.compression.client import sign
from ei.services.compression.messages import NUMBERS, Dictionary
from ei.services.compression.stages import train
from ei.services.multicast.messages import Join
from ei.services.odns.messages import ODNS, ask, keys_wanted
from ei.services.pubsub.messages import LIVE, Want, Wish
from ei.services.relay.messages import Admission, To, grant_of_token
from ei.services.relay.messages import write_opening as write_relayed
from ei.services.termination.messages import Opening
from ei.services.termination.messages import write_opening as write_target
from ei.testing import address
from ei.testing.crossroads import NODE

ALICE, BOB, NEWS, SELF = map(address, ("alice", "bob", "news", NODE))
ELSEWHERE = 999
"""A service that the node does not run."""
HERE, BY_WAY = 2, 3
"""Streams: the first that comes to a service, and the first that it opens."""
WINDOW_BYTES = 2**60
"""Whoever reads keeps up."""


@dataclass(frozen=True, slots=True)
class Packets:
    """What alice sends, so that she or bob gets one packet for each.

    Attributes:
        metadata: Of each packet.
        wishes: What bob says before.
        records: What the directory knows.
        number: Of the service that they name, where the one that is measured is another.
        after: Service of that number, in whose chain the one that is measured is before it.
        payload: Of each packet.
        config: Where it differs from that of the manifest.
        bob: His name, which may be one of another domain.
    """

    metadata: bytes = b""
    wishes: tuple[msgspec.Struct, ...] = ()
    records: Mapping[Query, Record] = field(default_factory=dict[Query, Record])
    number: int | None = None
    after: str | None = None
    payload: bytes = b""
    config: Mapping[str, object] = field(default_factory=dict[str, object])
    bob: str = "bob"


@dataclass(frozen=True, slots=True)
class Streams:
    """What happens to a service of streams.

    Attributes:
        before: Once.
        works: By their name: what happens for the piece of work with a number, from 0.
        config: Where it differs from that of the manifest.
    """

    before: tuple[Event, ...]
    works: Mapping[str, Callable[[int], Iterator[StreamEvent]]]
    config: Mapping[str, object] = field(default_factory=dict[str, object])


def _hit(_number: int) -> Iterator[StreamEvent]:
    yield StreamData(HERE, _ask(0), is_end=False)


def _miss(number: int) -> Iterator[StreamEvent]:
    yield StreamData(HERE, _ask(number + 1), is_end=False)
    yield StreamData(BY_WAY, PAGE, is_end=False)


def _ask(number: int) -> bytes:
    return b"GET /%d HTTP/1.1\r\nhost: %s\r\n\r\n" % (number, SITE.host.encode())


def _passing(number: int) -> Iterator[StreamEvent]:
    yield from _passed(number, ALICE, TARGET)


def _relayed(number: int) -> Iterator[StreamEvent]:
    yield from _passed(number + 1, CIRCUIT, RELAYED)


def _passed(number: int, peer: Address, opening: bytes) -> Iterator[StreamEvent]:
    # Opened, joined to one that goes on, ended.
    there, on = HERE + 2 * number, BY_WAY + 2 * number
    yield StreamOpened(there, peer, opening, WINDOW_BYTES)
    yield StreamOpened(on, ALICE, b"", WINDOW_BYTES)
    yield StreamClosed(there, "ended", 0, 0)
    yield StreamClosed(on, "ended", 0, 0)


def _packed() -> Packets:
    """What a neighbour sends goes through the stage that decompresses; no host may send frames."""
    keys = make_keys(bytes(32))
    tenant = keys.address(1)
    readings = [
        b'{"meter":%d,"celsius":%d.5,"ok":true}' % (n * 7_919, n % 40) for n in range(1_000)
    ]
    trained = train(readings, number=NUMBERS + 1, size_bytes=2_048)
    nodes = [format_address(ALICE), format_address(BOB)]
    return Packets(
        BOB,
        (sign(keys, Dictionary(tenant, DELIVERY, 1, trained)),),
        {AttachmentOf(BOB): Attachment(BOB, (SELF,))},
        number=DELIVERY,
        after="delivery",
        payload=readings[7] * 3,
        config={"nodes": nodes, "tenants": {format_address(ALICE): format_address(tenant)}},
    )


DELIVERY, RELAY = 16, 68
EXIT, CIRCUIT = map(address, ("exit.2", "circuit.2"))
TOKEN = b"token"
ACME = Operator(2, "acme", is_own=False)
RELAYED = write_relayed(To(Legacy("server.example", 443), grant_of_token(TOKEN)))
SITE = Site("origin.example", 80)
TARGET = write_target(Opening(Legacy("server.example", 443)))
PAGE = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\ncache-control: max-age=86400\r\n\r\n" + bytes(
    1_000
)

PACKETS: Mapping[str, Packets] = {
    "delivery": Packets(BOB, records={AttachmentOf(BOB): Attachment(BOB, (SELF,))}),
    "echo": Packets(),
    "reach": Packets(records={ServiceAt(ELSEWHERE): Route((BOB,))}, number=ELSEWHERE),
    "multicast": Packets(NEWS, (Join(group=NEWS),), {GroupOf(NEWS): Group(NEWS, (SELF,))}),
    "compression": _packed(),
    "relay": Packets(
        EXIT,
        records={
            OperatorOf(2): ACME,
            NodeAt(EXIT): Node(EXIT, (RELAY,)),
            RouteTo(2): Route((EXIT,)),
        },
        config={"circuits": 32_000, "circuits_per_host": 32_000},
        bob="exit.2",
    ),
    # A proxy passes on: no two questions are alike, so that nothing is ever decided.
    "odns": Packets(
        ask(EXIT),
        records={
            OperatorOf(2): ACME,
            NodeAt(EXIT): Node(EXIT, (ODNS,)),
            RouteTo(2): Route((EXIT,)),
        },
        payload=keys_wanted(),
        config={"source_per_s": 1e9, "source_burst": 1e9},
        bob="exit.2",
    ),
    "pubsub": Packets(bytes((LIVE,)) + b"word", (Want(1, is_whole=True, added=(Wish("word"),)),)),
}
STREAMS: Mapping[str, Streams] = {
    "termination": Streams((), {"openings": _passing}),
    "relay": Streams(
        (
            Resolved(OperatorOf(2), ACME),
            StreamOpened(HERE, CIRCUIT, write_relayed(Admission(CIRCUIT, TOKEN)), WINDOW_BYTES),
        ),
        {"openings": _relayed},
        {"admission": "open"},
    ),
    "caching": Streams(
        (
            StreamOpened(HERE, ALICE, write_site(SITE), WINDOW_BYTES),
            StreamData(HERE, _ask(0), is_end=False),
            StreamOpened(BY_WAY, ALICE, b"", WINDOW_BYTES),
            StreamData(BY_WAY, PAGE, is_end=False),
        ),
        {"hits 1 kB": _hit, "misses 1 kB": _miss},
    ),
}
