"""How the status of nodes and hosts is shown."""

from collections.abc import Mapping

import msgspec

from ei.cli.output import Output
from ei.cli.quantities import duration
from ei.node.admin import RunningStatus
from ei.node.status import NodeStatus


def show_node(answer: Mapping[str, object], output: Output) -> None:
    """Print the status of one node."""
    running = msgspec.convert(answer, RunningStatus)
    node = running.node
    up = sum(peer.is_up for peer in node.peers)
    output.data(
        f"{node.name}  {node.address}  up {duration(running.uptime_s)}, "
        f"{', '.join(running.endpoints)}, {up} of {len(node.peers)} peers up"
    )
    output.data(fates(node))
    output.data("")
    output.table(
        ("service", "version", "worker", "starts", "missed", "waiting", "decisions", "dropped"),
        [
            (
                service.name,
                service.version,
                worker.state if worker else "-",
                str(worker.starts if worker else 0),
                str(service.missed),
                str(service.queue_packets),
                str(service.decisions),
                reasons(service.dropped),
            )
            for service in node.services
            for worker in [next((w for w in running.workers if w.service == service.name), None)]
        ],
    )
    output.data("")
    output.table(
        ("peer", "kind", "pipe", "rtt", "sent", "received"),
        [
            (
                peer.name,
                peer.kind,
                "up" if peer.is_up else "down",
                duration(peer.rtt_s),
                str(peer.sent),
                str(peer.received),
            )
            for peer in node.peers
        ],
    )
    for record, reason in node.refused_records.items():
        output.data(f"{output.mark('warn')} record of {record} refused: {reason}")
    document = {name: value for name, value in answer.items() if name != "schema"}
    output.document(str(answer["schema"]), document)


def fates(node: NodeStatus) -> str:
    """Return in one line what became of all packets that a node received."""
    return (
        f"received {node.received} = forwarded {node.forwarded} + delivered {node.delivered}"
        f" + consumed {node.consumed} + missed {node.missed} + dropped {reasons(node.dropped)}"
    )


def reasons(dropped: Mapping[str, int]) -> str:
    """Return counts by reason in words, the largest first."""
    counted = sorted(((count, reason) for reason, count in dropped.items() if count), reverse=True)
    return ", ".join(f"{count} {reason}" for count, reason in counted) or "0"
