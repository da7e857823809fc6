"""Judges what clients of a replicated state saw: registers linearizable, sets without loss.

Each value is written to a register once, so that a read says which write it saw. Then a register's
history is linearizable exactly if (Gibbons and Korach, "Testing Shared Memories", 1997) no read
ends before its write begins, and, with each write and its reads taken together from the earliest
end to the latest beginning, no two such spans that go forward overlap, and none that goes back lies
within one that goes forward.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Literal

Outcome = Literal["done", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What one client asked for, and what it was told; times are those of one clock.

    Attributes:
        value: Written, added, or read; `None` for a register that was never written.
        seen: Of a read of a set: its members.
        outcome: A write of unknown outcome may take effect at any time, or never.
    """

    kind: Literal["write", "read", "add", "list"]
    key: str
    value: str | None
    began_s: float
    ended_s: float
    outcome: Outcome = "done"
    seen: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Cluster:
    """A write with its reads."""

    write: Operation
    reads: list[Operation] = field(default_factory=list[Operation])

    @property
    def first_end_s(self) -> float:
        return min(self.write.ended_s, *(read.ended_s for read in self.reads), inf)

    @property
    def last_begin_s(self) -> float:
        return max(self.write.began_s, *(read.began_s for read in self.reads), -inf)


def judge(history: Iterable[Operation]) -> list[str]:
    """Return what is wrong with a history, in words; empty when nothing is."""
    registers: dict[str, list[Operation]] = {}
    sets: dict[str, list[Operation]] = {}
    for operation in history:
        kind = registers if operation.kind in {"write", "read"} else sets
        kind.setdefault(operation.key, []).append(operation)
    wrong: list[str] = []
    for key, operations in registers.items():
        wrong += _judge_register(key, operations)
    for key, operations in sets.items():
        wrong += _judge_set(key, operations)
    return wrong


def _judge_register(key: str, operations: list[Operation]) -> list[str]:
    never = Operation("write", key, None, -inf, -inf)
    clusters: dict[str | None, _Cluster] = {None: _Cluster(never)}
    refused: set[str | None] = set()
    for operation in operations:
        if operation.kind != "write":
            continue
        if operation.outcome == "refused":
            refused.add(operation.value)
            continue
        # What nobody knows the end of may end at any time.
        ended_s = operation.ended_s if operation.outcome == "done" else inf
        write = Operation("write", key, operation.value, operation.began_s, ended_s)
        clusters[operation.value] = _Cluster(write)
    wrong: list[str] = []
    for operation in operations:
        if operation.kind != "read" or operation.outcome != "done":
            continue
        cluster = clusters.get(operation.value)
        if cluster is None:
            what = "refused" if operation.value in refused else "never written"
            wrong.append(f"{key}: {operation.value} was read, and {what}")
        elif operation.ended_s < cluster.write.began_s:
            wrong.append(f"{key}: {operation.value} was read before it was written")
        else:
            cluster.reads.append(operation)
    return wrong + _judge_spans(key, clusters)


def _judge_spans(key: str, clusters: dict[str | None, _Cluster]) -> list[str]:
    forward: list[tuple[float, float, str | None]] = []
    back: list[tuple[float, float, str | None]] = []
    for value, cluster in clusters.items():
        first, last = cluster.first_end_s, cluster.last_begin_s
        if first < last:
            forward.append((first, last, value))
        elif cluster.reads or cluster.write.ended_s < inf:
            back.append((last, first, value))
    forward.sort(key=lambda span: span[:2])
    wrong = [
        f"{key}: {one} and {other} were each read after the other was"
        for (_, one_ends, one), (other_begins, _, other) in pairwise(forward)
        if other_begins < one_ends
    ]
    for begins, ends, value in back:
        for first, last, other in forward:
            if first < begins and ends < last:
                wrong.append(f"{key}: {other} was read although {value} was written after it")
    return wrong


def _judge_set(key: str, operations: list[Operation]) -> list[str]:
    wrong: list[str] = []
    adds = [each for each in operations if each.kind == "add"]
    possible = {each.value: each for each in adds if each.outcome != "refused"}
    lists = sorted(
        (each for each in operations if each.kind == "list" and each.outcome == "done"),
        key=lambda each: each.ended_s,
    )
    done = [each for each in adds if each.outcome == "done"]
    for reading in lists:
        wrong += [
            f"{key}: {each.value} was added and acknowledged, and is lost"
            for each in done
            if each.ended_s < reading.began_s and each.value not in reading.seen
        ]
        for value in reading.seen:
            add = possible.get(value)
            if add is None or reading.ended_s < add.began_s:
                wrong.append(f"{key}: {value} is in it, and nobody had added it")
        wrong += [
            f"{key}: {value} was in it, and is lost"
            for before in lists
            if before.ended_s < reading.began_s
            for value in before.seen - reading.seen
        ]
    return wrong
