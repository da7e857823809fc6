"""The hops of a traced packet, from what its nodes remember."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import msgspec

from ei import _core
from ei.cli.polling import poll
from ei.cli.targets import Target
from ei.node.traces import Module, TraceRecord

HOW = {
    "cached": "a cached decision answered; no service ran",
    "decided": "the service decided, in its worker; a decision that it left answers later packets",
    "queued": "it waits for its service, which has not answered yet",
    "dropped": "it was dropped before anything was decided",
}


@dataclass(frozen=True, slots=True)
class Hop:
    """One node on the way.

    Attributes:
        how: `cached`, `decided`, `queued` or `dropped`.
        modules: Services that had a say, or should have had, in order, such as `delivery@0.1.0`.
        verdict: What became of the packet here.
        to: Who got it next.
        spent_s: From its arrival until the node was done with it, services included.
        reasons: Who asked for each module, and what `how` and `verdict` mean, in sentences.
    """

    node: str
    how: str
    modules: tuple[str, ...]
    verdict: str
    to: str
    spent_s: float
    reasons: tuple[str, ...]

    def content(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


def collect(nodes: Iterable[Target], source: str, connection: int) -> list[TraceRecord]:
    """Ask all nodes for their records of the packets of a connection."""
    wanted = {"source": source, "connection": connection}
    answers = poll(nodes, "traces", wanted)
    found: list[TraceRecord] = []
    for polled in answers:
        if polled.answer is not None:
            found += msgspec.convert(polled.answer["traces"], list[TraceRecord])
    return found


def in_order(records: Iterable[TraceRecord]) -> list[Hop]:
    """Return hops in the order of the way: from the node that nobody sent to, on and on."""
    packets: dict[tuple[str, int], list[TraceRecord]] = {}
    for record in sorted(records, key=lambda one: one.now_ns):
        packets.setdefault((record.node, record.arrived_ns), []).append(record)
    # The newest packet of the connection is the one that was asked for.
    newest = {node: _whole(packets[node, arrived_ns]) for node, arrived_ns in sorted(packets)}
    received = {record.to for record in newest.values()}
    ordered: list[TraceRecord] = []
    starts = [name for name in newest if name not in received] or list(newest)[:1]
    for start in starts:
        at: str = start
        while at in newest:
            ordered.append(newest.pop(at))
            at = ordered[-1].to
    return [_hop(record) for record in [*ordered, *newest.values()]]


def _whole(steps: Sequence[TraceRecord]) -> TraceRecord:
    """Join the steps of one packet at one node: all services, and what the last step came to."""
    last = steps[-1]
    was_decided = last.how == "cached" and any(step.how == "decided" for step in steps)
    return msgspec.structs.replace(
        last,
        how="decided" if was_decided else last.how,
        modules=tuple(dict.fromkeys(module for step in steps for module in step.modules)),
    )


def _hop(record: TraceRecord) -> Hop:
    return Hop(
        node=record.node,
        how=record.how,
        modules=tuple(_title(module) for module in record.modules),
        verdict=record.verdict,
        to=record.to,
        spent_s=record.spent_ns / 1e9,
        reasons=(*_askers(record), *_happened(record)),
    )


def _happened(record: TraceRecord) -> Iterable[str]:
    yield HOW.get(record.how, record.how)
    if record.verdict == "held":
        yield "the service keeps it until the directory answers"
    explanation = dict(_core.reasons()).get(record.verdict)
    if explanation is not None:
        yield f"{record.verdict}: {explanation.strip()}"


def _askers(record: TraceRecord) -> Iterable[str]:
    """Say who asked for each module: by its place in the chain, which ends with the named one.

    Before it come those of the node's operator, after it the guards of the receiver. A packet that
    did not come as far as the named one came to no guard either.
    """
    numbers = [module.number for module in record.modules]
    named = numbers.index(record.service) if record.service in numbers else len(numbers)
    for place, module in enumerate(record.modules):
        if place == named:
            yield f"{_title(module)}: named by the source, {record.source_name}"
        elif place < named:
            domain = record.node.partition(".")[2]
            yield f"{_title(module)}: interposed by the operator of {domain} (chains in node.toml)"
        else:
            yield f"{_title(module)}: a guard that the receiver, {record.to}, asked for"


def _title(module: Module) -> str:
    return f"{module.name}@{module.version}" if module.version else module.name
