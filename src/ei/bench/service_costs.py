"""What the work of one service costs: CPU time, and what is kept, of datapath and worker alone.

`python -m ei.bench.service_costs SERVICE` measures in a fresh process, and says it as a line of
JSON. Datapath and service are in one process, without the sockets between them and to the hosts:
those are in the figures `hit` and `miss`.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count, islice

import msgspec
from msgspec import structs

from ei.bench.apart import say
from ei.bench.exercises import PACKETS, SELF, STREAMS, Packets, Streams
from ei.errors import LocalError
from ei.runtime.batches import EventBatch
from ei.runtime.environment import Environment
from ei.runtime.loader import load_service
from ei.runtime.statistics import EnvironmentStatistics
from ei.sdk import StreamEvent
from ei.testing.crossroads import NODE, Crossroads

AT_ONCE = 32
"""Packets, and batches of them that come together: a worker under load gets as many."""
WARM = 64 * AT_ONCE
COUNT = 256 * AT_ONCE
CACHE_ENTRIES = 65_536
DECISION_BYTES = 192
"""Most that one takes in the cache, whose memory is taken beforehand: `ei bench decisions`."""
START_S = 1_000.0
STEP_S = 0.000_1
DECIDED, UNDECIDED = "decided", "undecided"
"""Packets: of one connection, by a cached decision; and each of a new one."""


class Cost(msgspec.Struct, frozen=True):
    """Of 1,000 pieces of work.

    Attributes:
        work: What one is.
        cpu_us: Microseconds of CPU time.
        kept_bytes: By which grew what the service keeps: entries of its stores, as its manifest
            counts them, and decisions of it in the cache, `DECISION_BYTES` each.
    """

    work: str
    cpu_us: float
    kept_bytes: float


def costs(service: str, *, warm: int = WARM, many: int = COUNT) -> Iterator[Cost]:
    """Measure all kinds of work of a service.

    Raises:
        LocalError: Nobody said what it does, or it does not do it.
    """
    if service in PACKETS:
        yield from _of_packets(service, PACKETS[service], warm=warm, many=many)
    if service in STREAMS:
        yield from _of_streams(service, STREAMS[service], warm=warm, many=many)
    if service not in PACKETS and service not in STREAMS:
        raise LocalError(f"nobody said in ei/bench/exercises.py what {service} does")


def _of_packets(service: str, exercise: Packets, *, warm: int, many: int) -> Iterator[Cost]:
    loaded = load_service(service)
    config = {**loaded.manifest.config, **exercise.config}
    loaded = replace(loaded, manifest=structs.replace(loaded.manifest, config=config))
    own = loaded.manifest.id
    others = [] if exercise.after is None else [load_service(exercise.after)]
    rig = Crossroads(
        [loaded, *others],
        ["alice", exercise.bob],
        records=dict(exercise.records),
        cache_entries=CACHE_ENTRIES,
        chains={other.manifest.id: [own, other.manifest.id] for other in others},
    )
    rig.node.set_fallback(own)
    for wish in exercise.wishes:
        rig.control(exercise.bob, own, wish)
    rig.settle()
    connections = count(2)
    number = own if exercise.number is None else exercise.number

    def send(count: int, connection: Callable[[], int]) -> int:
        spent_ns = got = 0
        for _ in range(0, count, AT_ONCE):
            for _ in range(AT_ONCE):
                rig.send(
                    "alice",
                    number,
                    exercise.payload,
                    metadata=exercise.metadata,
                    connection=connection(),
                )
            arriving = rig.take_datagrams("alice")
            began_ns = time.process_time_ns()
            rig.carry("alice", arriving)
            while rig.pump():
                pass
            leaving = rig.take_datagrams(NODE)
            spent_ns += time.process_time_ns() - began_ns
            rig.carry(NODE, leaving)
            rig.settle()
            got += len(rig.take_received())
        if got != count:
            raise LocalError(f"{service} delivered {got} packets of {count}")
        return spent_ns

    def kept() -> int:
        decisions = int(str(rig.node.statistics()["decisions"]))
        return DECISION_BYTES * decisions + _kept(rig.services.statistics().values())

    cost = partial(_cost, kept=kept, warm=warm, many=many)
    yield cost(DECIDED, lambda count: send(count, lambda: 1))
    yield cost(UNDECIDED, lambda count: send(count, connections.__next__))


def _of_streams(service: str, exercise: Streams, *, warm: int, many: int) -> Iterator[Cost]:
    loaded = load_service(service)
    environment = Environment(loaded, node=SELF, seed=b"1", config=exercise.config)
    encode = msgspec.msgpack.Encoder().encode
    sequence = count(1)

    def hand(events: Iterable[StreamEvent]) -> int:
        spent_ns = 0
        for event in events:
            number = next(sequence)
            now_s = START_S + number * STEP_S
            batch = encode(EventBatch(number, 0, now_s, now_s, (event,)))
            began_ns = time.process_time_ns()
            _ = environment.deliver_batch(batch, origin=1)
            _ = environment.take_strays()
            spent_ns += time.process_time_ns() - began_ns
        if environment.faults.total:
            raise LocalError(f"{service} failed: {environment.faults.newest[-1]}")
        return spent_ns

    for event in exercise.before:
        _ = environment.deliver(event, now_s=START_S)
    for work, each in exercise.works.items():
        pieces = map(hand, map(each, count()))
        yield _cost(
            work,
            partial(_first_of, pieces),
            kept=lambda: _kept([environment.statistics()]),
            warm=warm,
            many=many,
        )


def _first_of(pieces: Iterator[int], many: int) -> int:
    return sum(islice(pieces, many))


def _kept(environments: Iterable[EnvironmentStatistics]) -> int:
    return sum(each.stable.used_bytes + each.ephemeral.used_bytes for each in environments)


def _cost(
    work: str, do: Callable[[int], int], *, kept: Callable[[], int], warm: int, many: int
) -> Cost:
    _ = do(warm)
    before_bytes = kept()
    spent_ns = do(many)
    return Cost(work, spent_ns / many, (kept() - before_bytes) * 1_000 / many)


def main(arguments: list[str]) -> None:
    """Measure in this process."""
    (service,) = arguments
    say(list(costs(service)))


if __name__ == "__main__":
    main(sys.argv[1:])
