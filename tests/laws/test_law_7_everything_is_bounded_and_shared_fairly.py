"""Law 7. Everything is bounded, and shared fairly."""

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec
import pytest

from ei.runtime.environment import Environment
from ei.runtime.holds import MAX_BYTES_PER_SOURCE, MAX_PACKETS_PER_QUERY
from ei.runtime.timers import MAX_TIMERS
from ei.sdk import (
    Address,
    AttachmentOf,
    Context,
    Count,
    DropPacket,
    Effect,
    HoldPacket,
    PacketArrived,
    SendPacket,
    SetTimer,
)
from ei.testing import FakeDatapath
from ei.testing.crossroads import Crossroads
from ei.testing.toys import TOY_NUMBER, toy, toy_manifest, toy_packet

NODE = Address(b"n" * 16)
QUEUE_PACKETS = 100
FLOOD = 400


def services_of(statistics: dict[str, object]) -> dict[str, Any]:
    services = msgspec.convert(statistics["services"], dict[int, dict[str, Any]])
    return services[TOY_NUMBER]


# -- a service cannot take more than it was granted -----------------------------------------------


def hoards(event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
    """Ask for more of one thing with each packet."""
    connection = event.packet.connection
    match event.packet.metadata:
        case b"stable":
            ctx.stable.put(b"%d" % connection, bytes(100))
        case b"ephemeral":
            ctx.ephemeral.put(b"%d" % connection, bytes(100))
        case b"timers":
            for number in range(2_000):
                yield SetTimer(b"%d %d" % (connection, number), 60.0)
        case b"effects":
            for _ in range(3_000):
                yield Count("seen")
        case _:
            yield HoldPacket(AttachmentOf(event.packet.source), timeout_s=5.0)
            return
    yield DropPacket("unwanted")


def flood(metadata: bytes, payload: bytes = b"") -> Environment:
    manifest = toy_manifest(stable_bytes=5_000, ephemeral_bytes=5_000)
    environment = Environment(toy(on_packet=hoards, manifest=manifest), node=NODE, seed=b"1")
    for number in range(200):
        packet = toy_packet(metadata=metadata, payload=payload).packet
        event = PacketArrived(msgspec.structs.replace(packet, connection=number))
        batch = [number + 1, 0, 1.0, 1e9, [event]]
        _ = environment.deliver_batch(msgspec.msgpack.encode(batch))
    return environment


def test_stores_stay_within_what_the_manifest_grants() -> None:
    for metadata in (b"stable", b"ephemeral"):
        statistics = flood(metadata).statistics()
        used_bytes = statistics.stable.used_bytes + statistics.ephemeral.used_bytes
        assert 4_500 < used_bytes <= 5_000
        assert statistics.faults["service_error"] > 100


@pytest.mark.slow
def test_timers_are_bounded() -> None:
    statistics = flood(b"timers").statistics()

    assert MAX_TIMERS - 2_000 < statistics.timers <= MAX_TIMERS
    assert statistics.faults["service_error"] > 100


def test_effects_of_an_event_are_bounded() -> None:
    assert flood(b"effects").statistics().faults == {"service_error": 200}


def test_held_packets_of_a_query_are_bounded() -> None:
    assert flood(b"hold").statistics().held == MAX_PACKETS_PER_QUERY


def test_held_bytes_of_a_source_are_bounded() -> None:
    held = flood(b"hold", payload=bytes(10_000)).statistics().held

    assert held == MAX_BYTES_PER_SOURCE // 10_260


# -- nobody takes what is another's ---------------------------------------------------------------


def back(event: PacketArrived, _ctx: Context[Any]) -> tuple[Effect, ...]:
    return (SendPacket(event.packet, event.packet.ingress),)


def crowded() -> Crossroads:
    manifest = toy_manifest(queue_packets=QUEUE_PACKETS)
    return Crossroads([toy(on_packet=back, manifest=manifest)], ["alice", "bob"], cache_entries=0)


def check_bound(waiting: int) -> None:
    assert waiting <= QUEUE_PACKETS, "law 7: a queue past its bound"


def test_the_queue_of_misses_is_bounded_and_what_is_too_much_is_counted() -> None:
    rig = crowded()
    for _ in range(FLOOD // 40):
        rig.send("alice", TOY_NUMBER, *[b""] * 40)
        _ = rig.exchange()
    books = msgspec.convert(rig.node.statistics(), dict[str, Any])

    check_bound(services_of(rig.node.statistics())["queue_packets"])
    lost = [books[name].get("slow_path_busy", 0) for name in ("dropped", "missed_dropped")]
    assert sum(lost) == FLOOD - QUEUE_PACKETS


class Queue(Protocol):
    """Who offers packets, and how many of whose are answered in the end."""

    def offer(self, source: str, packets: int) -> None: ...
    def answered(self, source: str) -> int: ...


class QueueOfDatapath:
    """The real one."""

    def __init__(self) -> None:
        self._rig = crowded()

    def offer(self, source: str, packets: int) -> None:
        for _ in range(packets // 10):
            self._rig.send(source, TOY_NUMBER, *[b""] * 10)
            _ = self._rig.exchange()

    def answered(self, source: str) -> int:
        self._rig.settle()
        return sum(each.host == source for each in self._rig.take_received())


class FirstComeFirstServed:
    """Planted: bounded, but who comes when it is full is turned away, whoever filled it."""

    def __init__(self) -> None:
        self._queue: list[str] = []

    def offer(self, source: str, packets: int) -> None:
        self._queue += [source] * min(packets, QUEUE_PACKETS - len(self._queue))

    def answered(self, source: str) -> int:
        return self._queue.count(source)


def check_fairness(queue: Queue) -> None:
    """Who sends little is answered, however much another one sends."""
    queue.offer("alice", FLOOD)
    queue.offer("bob", 10)

    assert queue.answered("bob") == 10, "law 7: a flood takes the place of others"


def test_b11_a_flood_takes_nobody_elses_place() -> None:
    check_fairness(QueueOfDatapath())


def rate_of(name: str, offered: dict[str, int]) -> int:
    """Return how many packets of one host are answered in 20 rounds of what all of them offer."""
    rig = crowded()
    for _ in range(20):
        for _ in range(5):
            for host, packets in offered.items():
                rig.send(host, TOY_NUMBER, *[b""] * (packets // 5))
            _ = rig.exchange()
        _ = rig.pump()
        rig.now_ns += 1_000_000
    rig.settle()
    return sum(each.host == name for each in rig.take_received())


def test_b11_beside_ten_times_a_share_one_keeps_90_percent_of_its_rate() -> None:
    share = QUEUE_PACKETS // 2

    alone = rate_of("bob", {"bob": share})
    beside = rate_of("bob", {"alice": 10 * share, "bob": share})

    assert alone == 20 * share
    assert beside >= 0.9 * alone


def test_a_queue_that_lets_a_flood_take_all_is_caught() -> None:
    with pytest.raises(AssertionError, match="law 7: a flood takes the place of others"):
        check_fairness(FirstComeFirstServed())


def test_a_queue_without_a_bound_is_caught() -> None:
    fake = FakeDatapath()
    fake.add_service(TOY_NUMBER)
    for _ in range(FLOOD):
        fake.put_event(TOY_NUMBER, toy_packet())

    with pytest.raises(AssertionError, match="law 7: a queue past its bound"):
        check_bound(fake.fates[TOY_NUMBER]["waiting"])
