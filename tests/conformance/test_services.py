"""What every service must keep to, whatever it does. Services are found by folder: nothing to add.

Beside the law tests, which use planted services, these use the real ones, with events that are
drawn from a few hosts, nodes and groups.
"""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ei._core import reasons
from ei.errors import EiError
from ei.runtime.environment import Environment
from ei.runtime.limits import VirtualCost
from ei.runtime.loader import LoadedService, find_services, load_afresh, load_service
from ei.sdk import (
    Attachment,
    AttachmentOf,
    Connection,
    ControlArrived,
    Decision,
    Effect,
    Event,
    Group,
    GroupOf,
    InstallDecision,
    NotKept,
    Packet,
    PacketArrived,
    PassPacket,
    PeerChanged,
    Query,
    Record,
    Resolved,
    Route,
    SendPacket,
    ServiceAt,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    TallyRead,
    TimerFired,
)
from ei.testing import address
from ei.testing.crossroads import NODE, Crossroads, Received

SERVICES = sorted(find_services())
SELF, EAST, WEST = map(address, [NODE, "east", "west"])
ALICE, BOB, CAROL = map(address, ["alice", "bob", "carol"])
NEWS, WEATHER = map(address, ["news", "weather"])
INTERPOSED = {"compression"}
"""Services that no source names: they are seen in the chain of another."""
REACH = 18
"""The one service that asks where a service is; here it is asked for itself."""
ADDRESSES = [ALICE, BOB, CAROL, EAST, WEST, SELF, NEWS, WEATHER]
RECORDS: dict[Query, Record] = {
    AttachmentOf(CAROL): Attachment(CAROL, (SELF,)),
    GroupOf(NEWS): Group(NEWS, (SELF,)),
    ServiceAt(REACH): Route((CAROL,)),
}


OPENINGS = [
    b"",
    b"junk",
    msgspec.msgpack.encode([[0, "www.example.org", 443, "tcp"], None]),
    msgspec.msgpack.encode([[0, "www.example.org", 80, "tcp"], SELF, True]),
    msgspec.msgpack.encode([[2, CAROL, 7], EAST]),
    msgspec.msgpack.encode([[0, "www.example.org", 443, "tcp"], None, False, bytes(16)]),
    msgspec.msgpack.encode([[0, "www.example.org", 443, "tcp"], None, False, bytes(16), 0]),
    msgspec.msgpack.encode([0, EAST, bytes(32)]),
    msgspec.msgpack.encode([1, EAST, b"\0\2" + bytes(352)]),
    msgspec.msgpack.encode([2, [0, "www.example.org", 443, "tcp"]]),
]
"""Of streams, for services that have some: such as termination and the relay understand."""
PIECES = [
    b"",
    b"GET / HTTP/1.1",
    *(
        len(frame).to_bytes(4, "little") + frame
        for frame in map(msgspec.msgpack.encode, ([1, 7, "word/#", 9, "x"], [0, 1, "word", b"one"]))
    ),
]
"""What is read from streams: a request for caching, frames for pub/sub."""
SUBJECTS = [b"\x01word", b"\x01word/one", b"\x02word"]
"""Metadata such as pub/sub understands; the wishes of `sample_of` are met."""


@pytest.fixture(params=SERVICES)
def loaded(request: pytest.FixtureRequest) -> LoadedService:
    """Each service in turn; loading it checks its manifest, imports and types."""
    return load_service(str(request.param))


def messages_of(loaded: LoadedService) -> list[msgspec.Struct]:
    """Make messages of each kind: all bytes are the address of a group."""
    return [
        kind(*[sample_of(field.type, bytes(group)) for field in msgspec.structs.fields(kind)])
        for kind in loaded.messages
        for group in (NEWS, WEATHER)
    ]


def sample_of(kind: object, group: bytes) -> object:
    """Make a value that a field of a message may have."""
    octets = (group, 2 * group, 4 * group, group[:8])
    samples = (*octets, (group,), (group[:8],), ("word",), (("word/#", False),), "word")
    for value in (*samples, 7, False):
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError:
            continue
    return msgspec.convert((), kind)


TREES = [NEWS + SELF, NEWS + EAST]
HISTORIES = [NEWS + ALICE + bytes(8), b"t"]


def packets() -> st.SearchStrategy[Packet]:
    marks = st.sampled_from([b"", b"\x01", b"\x02", b"more"])
    return st.builds(
        Packet,
        service=st.just(0),
        ingress=st.sampled_from([ALICE, BOB, EAST, WEST]),
        source=st.sampled_from([ALICE, BOB]),
        connection=st.integers(0, 3).map(Connection),
        metadata=st.builds(bytes.__add__, st.sampled_from([b"", *ADDRESSES, *TREES]), marks)
        | st.sampled_from(SUBJECTS),
        payload=st.sampled_from([b"", b"one", b"other"]),
        is_covered=st.booleans(),
    )


def events(loaded: LoadedService) -> st.SearchStrategy[Event]:
    """Draw any event that this service may get."""
    peers = st.sampled_from(ADDRESSES)
    kinds: list[st.SearchStrategy[Event]] = [
        packets().map(lambda packet: PacketArrived(with_number(packet, loaded))),
        st.builds(PeerChanged, peers, st.booleans()),
        st.builds(TimerFired, st.sampled_from([b"", bytes(NEWS), bytes(WEATHER)])),
        st.builds(NotKept, st.sampled_from(HISTORIES), st.just((bytes(8),)), peers),
        st.builds(TallyRead, st.just(b"t"), st.integers(0, 9), st.integers(0, 9)),
        st.sampled_from(
            [
                Resolved(AttachmentOf(BOB), Attachment(BOB, (EAST, SELF))),
                Resolved(AttachmentOf(BOB), None),
                Resolved(GroupOf(NEWS), Group(NEWS, (SELF, EAST))),
                Resolved(GroupOf(NEWS), Group(NEWS, (WEST,))),
                Resolved(GroupOf(WEATHER), None),
            ]
        ),
    ]
    if "streams" in loaded.manifest.capabilities:
        kinds.append(stream_events())
    if loaded.messages:
        kinds.append(st.builds(ControlArrived, peers, st.sampled_from(messages_of(loaded))))
    return st.one_of(kinds)


def stream_events() -> st.SearchStrategy[StreamEvent]:
    """Draw what may happen to a few streams; also to those that the service never heard of."""
    streams = st.integers(2, 5)
    return st.one_of(
        st.builds(
            StreamOpened, streams, st.sampled_from([ALICE, EAST, SELF]), st.sampled_from(OPENINGS),
            st.just(65_536),
        ),
        st.builds(StreamData, streams, st.sampled_from(PIECES), st.booleans()),
        st.builds(StreamWritable, streams, st.just(65_536)),
        st.builds(
            StreamClosed, streams, st.sampled_from(["ended", "reset", "refused", "lost"]),
            st.just(0), st.just(0),
        ),
    )  # fmt: skip


def with_number(packet: Packet, loaded: LoadedService) -> Packet:
    return msgspec.structs.replace(packet, service=loaded.manifest.id)


class Run:
    """A service that is handed one event after the other, with a second between them."""

    def __init__(self, loaded: LoadedService, *, is_fresh_each_time: bool = False) -> None:
        self._loaded = loaded
        self._is_fresh_each_time = is_fresh_each_time
        self._environment = Environment(loaded, node=SELF, seed=b"1", cost=VirtualCost())
        self.now_s = 0.0

    def hand(self, event: Event) -> tuple[Effect, ...] | str:
        self.now_s += 1.0
        if self._is_fresh_each_time:
            fresh = load_afresh(self._loaded)
            self._environment.renew(fresh)
            event = in_types_of(fresh, event)
        try:
            due = self._environment.deliver_due(now_s=self.now_s)
            return due + self._environment.deliver(event, now_s=self.now_s)
        except EiError as error:
            return str(error)


def in_types_of(loaded: LoadedService, event: Event) -> Event:
    if isinstance(event, ControlArrived):
        for kind in loaded.messages:
            if kind.__name__ == type(event.message).__name__:
                message = msgspec.convert(event.message, kind, from_attributes=True)
                return ControlArrived(event.sender, message)
    return event


def encoded(effects: tuple[Effect, ...] | str) -> bytes:
    return msgspec.msgpack.encode(effects)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", SERVICES)
def test_whatever_comes_the_service_keeps_its_contract_and_is_a_function(
    name: str, data: st.DataObject
) -> None:
    loaded = load_service(name)
    used, fresh = Run(loaded), Run(loaded, is_fresh_each_time=True)

    for event in data.draw(st.lists(events(loaded), max_size=12)):
        effects = used.hand(event)
        assert not isinstance(effects, str), f"{event}: {effects}"
        assert encoded(fresh.hand(event)) == encoded(effects), "law 1"


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", SERVICES)
def test_without_the_capability_a_service_does_not_look_at_payloads(
    name: str, data: st.DataObject
) -> None:
    loaded = load_service(name)
    if "payload" in loaded.manifest.capabilities:
        return
    one, other = Run(loaded), Run(loaded)

    for event in data.draw(st.lists(events(loaded), max_size=12)):
        effects = one.hand(event)
        without = other.hand(without_payload(event))
        assert not isinstance(effects, str)
        assert not isinstance(without, str)
        assert [forget_payload(effect) for effect in effects] == list(without)


def without_payload(event: Event) -> Event:
    if isinstance(event, PacketArrived):
        return PacketArrived(msgspec.structs.replace(event.packet, payload=b""))
    return event


def forget_payload(effect: Effect) -> Effect:
    if isinstance(effect, SendPacket | PassPacket):
        packet = msgspec.structs.replace(effect.packet, payload=b"")
        return msgspec.structs.replace(effect, packet=packet)
    return effect


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_reads_no_more_metadata_than_its_decisions_match(
    name: str, data: st.DataObject
) -> None:
    loaded = load_service(name)
    matched = loaded.manifest.match_metadata
    if matched is None:
        return
    one, other = Run(loaded), Run(loaded)

    for event in data.draw(st.lists(events(loaded), max_size=12)):
        first, second = one.hand(event), other.hand(with_other_rest(event, matched))
        assert decisions(first) == decisions(second)


def with_other_rest(event: Event, matched: int) -> Event:
    if isinstance(event, PacketArrived):
        packet = event.packet
        metadata = packet.metadata[:matched] + bytes(len(packet.metadata[matched:]))
        return PacketArrived(msgspec.structs.replace(packet, metadata=metadata))
    return event


def decisions(effects: tuple[Effect, ...] | str) -> list[Decision]:
    return [
        msgspec.structs.replace(
            effect.decision, key=msgspec.structs.replace(effect.decision.key, metadata=b"")
        )
        for effect in effects
        if isinstance(effect, InstallDecision)
    ]


def deliveries(loaded: LoadedService, *, cache_entries: int) -> list[Received]:
    """Let three hosts say all that they can to a node and through it; return what they got."""
    named, chains = loaded.manifest.id, {}
    services = [loaded]
    if loaded.manifest.name in INTERPOSED:
        services.append(load_service("delivery"))
        named = services[-1].manifest.id
        chains = {named: [loaded.manifest.id, named]}
    rig = Crossroads(
        services, ["alice", "bob", "carol"], records=RECORDS, cache_entries=cache_entries,
        chains=chains,
    )  # fmt: skip
    for message in messages_of(loaded)[:2]:  # of the first kind: what a host says to begin with
        rig.control("bob", loaded.manifest.id, message)
        rig.control("carol", loaded.manifest.id, message)
    rig.settle()
    for number in range(3):
        for metadata in (b"", BOB, CAROL, SELF, NEWS, WEATHER, bytes(16), *SUBJECTS):
            for host in ("alice", "bob"):
                payload = b"%d from " % number + host.encode()
                rig.send(host, named, payload, metadata=metadata)
        rig.settle()
        rig.pass_time(0.5)
    return rig.take_received()


@pytest.mark.slow
def test_with_a_cache_of_size_0_the_same_is_delivered(loaded: LoadedService) -> None:
    with_cache = deliveries(loaded, cache_entries=1_024)

    assert deliveries(loaded, cache_entries=0) == with_cache
    assert with_cache or "streams" in loaded.manifest.capabilities, "nothing is delivered at all"


def test_numbers_are_unique() -> None:
    numbers = [load_service(name).manifest.id for name in SERVICES]

    assert len(set(numbers)) == len(numbers)


def test_its_configuration_can_be_parsed(loaded: LoadedService) -> None:
    config = loaded.parse_config({})

    said = msgspec.json.decode(msgspec.json.encode(config))
    assert said == (loaded.manifest.config or None)


def test_its_words_are_not_the_datapaths(loaded: LoadedService) -> None:
    assert not set(loaded.manifest.drop_reasons) & {word for word, _ in reasons()}


def test_its_folder_has_what_every_service_has(loaded: LoadedService) -> None:
    files = {path.name for path in loaded.folder.iterdir()}

    assert {"__init__.py", "manifest.toml", "service.py", "test_service.py"} <= files
