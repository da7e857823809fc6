"""How the status of nodes and hosts is shown."""

import time
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ei.cli.clusters import show_cluster
from ei.cli.output import Output
from ei.cli.polling import Polled
from ei.cli.quantities import duration, lifetime
from ei.cli.registries import show_followed
from ei.host.status import HostStatus
from ei.node.admin import RunningStatus
from ei.node.ceiling import MIB, MemoryStatus
from ei.node.draining import DrainStatus
from ei.node.status import NodeStatus
from ei.node.stream_status import StreamStatus

NODE_SCHEMA = "ei.node-status/1"


def show_node(answer: Mapping[str, object], output: Output) -> None:
    """Print the status of one node."""
    running = msgspec.convert(answer, RunningStatus)
    node = running.node
    up = sum(peer.is_up for peer in node.peers)
    output.data(f"{node.name}  {node.address}")
    output.fold(
        f"up {duration(running.uptime_s)}, {', '.join(running.endpoints)}, "
        f"{up} of {len(node.peers)} peers up"
    )
    output.fold(fates(node))
    output.fold(f"dropped {reasons(node.dropped)}")
    if node.drain is not None:
        output.fold(f"{output.mark('warn')} {draining(node.drain)}")
    if node.streams is not None:
        output.fold(streams(node.streams))
    if running.memory is not None:
        output.fold(memory(running.memory))
    show_followed(running.registry, output)
    for lost in overflows(node):
        output.fold(f"{output.mark('warn')} {lost}")
    for gap in gaps_of(running):
        output.fold(f"{output.mark('warn')} {gap}")
    show_warnings(node, output)
    output.data("")
    output.table(
        (
            "service",
            "version",
            "worker",
            "jail",
            "starts",
            "missed",
            "waiting",
            "decisions",
            "dropped",
        ),
        [
            (
                service.name,
                service.version,
                worker.state if worker else "-",
                str(worker.jail) if worker and worker.jail else "-",
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
        output.fold(f"{output.mark('warn')} record of {record} refused: {reason}")
    if running.cluster is not None:
        output.data("")
        show_cluster(running.cluster, output)
    document = {name: value for name, value in answer.items() if name != "schema"}
    output.document(str(answer["schema"]), document)


def show_warnings(status: NodeStatus | HostStatus, output: Output) -> None:
    """Print what ends soon, and what is held back, each with what to do."""
    for warning in warnings_of(status, unix_s=time.time()):
        output.fold(f"{output.mark('warn')} {warning}")


def warnings_of(status: NodeStatus | HostStatus, *, unix_s: float) -> Iterator[str]:
    """Yield a sentence for each thing that ends within 30 days or has grown too old."""
    for each in status.expiring:
        left_s = each.expires_unix_s - unix_s
        when = f"expires in {lifetime(left_s)}" if left_s > 0 else "has expired"
        yield f"{each.what} {when}: {each.renew}"
    if isinstance(status, HostStatus):
        return
    for domain, age_s in status.stale_revocations.items():
        yield (
            f"the list of revoked keys of {domain} is {lifetime(age_s)} old, {domain} is to sign"
            f" it again: ei domain refresh"
        )
    for peer in status.peers:
        if peer.refused and peer.allow:
            yield (
                f"{peer.refused} packets of {peer.name} refused (not_allowed); to take them, add to"
                f" node.toml: {peer.allow}"
            )
    for target in () if status.streams is None else status.streams.not_allowed:
        yield (
            f"{target.count} streams to {target.host}:{target.port} ({target.address}) refused"
            f" (not_allowed); to allow them, add to node.toml: {target.allow}"
        )
    if status.revocation_stale:
        yield f"{status.revocation_stale} peers may open no pipe until then (revocation_stale)"


def draining(drain: DrainStatus) -> str:
    """Return in one line how far a node is with stopping."""
    using = f"{drain.using} of {drain.peers} peers still use it"
    return f"drains: {using}, {drain.waiting} packets wait"


def down_services(running: RunningStatus) -> dict[str, str]:
    """Return the services of a node that no worker runs now, and why."""
    return {
        worker.service: f"its worker is {worker.state}"
        + (f", the last one ended: {worker.last_end}" if worker.last_end else "")
        for worker in running.workers
        if worker.state != "running"
    }


def gaps_of(running: RunningStatus) -> Iterator[str]:
    """Yield a sentence for each worker whose jail lacks what it should have."""
    for worker in running.workers:
        if worker.jail is not None and worker.jail.missing:
            whys = ", ".join(f"{layer} ({why})" for layer, why in worker.jail.missing.items())
            yield f"the jail of {worker.service} is without {whys}"


def troubles_of(polled: Polled) -> list[str]:
    """Return what is wrong with one daemon: it does not answer, or services of it are down."""
    if polled.answer is None:
        return [polled.trouble]
    if polled.answer["schema"] != NODE_SCHEMA:
        return []
    down = down_services(msgspec.convert(polled.answer, RunningStatus))
    return [f"{service} is down: {why}" for service, why in down.items()]


def warnings_in(polled: Polled, *, unix_s: float) -> list[str]:
    """Return the warnings of one daemon that answered."""
    if polled.answer is None:
        return []
    if polled.answer["schema"] == NODE_SCHEMA:
        running = msgspec.convert(polled.answer, RunningStatus)
        return [*gaps_of(running), *warnings_of(running.node, unix_s=unix_s)]
    return list(warnings_of(msgspec.convert(polled.answer, HostStatus), unix_s=unix_s))


def fates(node: NodeStatus) -> str:
    """Return in one line what became of all packets that a node received, but for drops."""
    captured = f" ({node.captured} by AF_XDP)" if node.captured else ""
    return (
        f"received {node.received}{captured}: forwarded {node.forwarded}, "
        f"delivered {node.delivered}, "
        f"consumed {node.consumed}, missed {node.missed}"
    )


def streams(status: StreamStatus) -> str:
    """Return in one line what the streams of a node's services are, and how others ended."""
    open_now = ", ".join(f"{name} {each.open}" for name, each in status.services.items())
    return (
        f"streams {status.open} open ({open_now}), {status.opened} opened, "
        f"{status.refused} refused; closed {reasons(status.closed)}"
    )


def memory(status: MemoryStatus) -> str:
    """Return in one line what a node holds, and what made room for it."""
    shown = f"memory {status.held_bytes // MIB} of {status.limit_bytes // MIB} MiB"
    tight = ", tight: no stream is let in" if status.is_tight else ""
    return f"{shown}{tight}; given up {reasons({**status.given_up})}"


def overflows(status: NodeStatus | HostStatus) -> Iterator[str]:
    """Yield a sentence for each bound that was hit before anything had a fate."""
    if status.socket_overflows:
        yield (
            f"{status.socket_overflows} datagrams never received: the kernel's buffer was full "
            "(socket_overflows)"
        )
    if isinstance(status, HostStatus):
        return
    if status.thread_overflows:
        yield (
            f"{status.thread_overflows} datagrams never handled: their thread had too much to do "
            "(thread_overflows)"
        )
    if status.notice_overflows:
        yield f"{status.notice_overflows} notices of the datapath never taken (notice_overflows)"


def reasons(dropped: Mapping[str, int]) -> str:
    """Return counts by reason in words, the largest first."""
    counted = sorted(((count, reason) for reason, count in dropped.items() if count), reverse=True)
    return ", ".join(f"{count} {reason}" for count, reason in counted) or "0"


def show_host(answer: Mapping[str, object], output: Output) -> None:
    """Print the status of one host."""
    host = msgspec.convert(answer, HostStatus)
    output.data(host.summary)
    output.data(f"{host.address}  {host.endpoint}")
    output.fold(f"sent {counts(host.sent)}; received {counts(host.received)}")
    output.fold(f"dropped {reasons(host.dropped)}")
    for lost in overflows(host):
        output.fold(f"{output.mark('warn')} {lost}")
    show_warnings(host, output)
    output.data("")
    output.table(
        ("node", "pipe", "used", "rtt"),
        [
            (
                attachment.node,
                "up" if attachment.is_up else "down",
                "yes" if attachment.is_used else "no",
                duration(attachment.rtt_s),
            )
            for attachment in host.attachments
        ],
    )
    document = {name: value for name, value in answer.items() if name != "schema"}
    output.document(str(answer["schema"]), document)


def counts(by_kind: Mapping[str, int]) -> str:
    """Return counts by kind in words; kinds that never happened are left out."""
    return ", ".join(f"{count} {kind}" for kind, count in by_kind.items() if count) or "nothing"


def show_one(answer: Mapping[str, object], output: Output) -> None:
    """Print the status of a node or a host, whichever answered."""
    if answer["schema"] == NODE_SCHEMA:
        show_node(answer, output)
    else:
        show_host(answer, output)


def show_all(found: Sequence[Polled], output: Output) -> None:
    """Print a line for each node and each host that answered."""
    answers = [polled.answer for polled in found if polled.answer is not None]
    nodes = [
        msgspec.convert(answer, RunningStatus)
        for answer in answers
        if answer["schema"] == NODE_SCHEMA
    ]
    hosts = [
        msgspec.convert(answer, HostStatus)
        for answer in answers
        if answer["schema"] == "ei.host-status/1"
    ]
    output.table(
        ("node", "peers up", "services", "received", "forwarded", "missed", "dropped"),
        [
            (
                running.node.name,
                f"{sum(peer.is_up for peer in running.node.peers)}/{len(running.node.peers)}",
                _services(running),
                str(running.node.received),
                str(running.node.forwarded),
                str(running.node.missed),
                reasons(running.node.dropped),
            )
            for running in nodes
        ],
    )
    output.data("")
    output.table(
        ("host", "address", "nodes up", "using", "rtt"),
        [
            (
                host.name,
                host.address,
                f"{sum(one.is_up for one in host.attachments)}/{len(host.attachments)}",
                next((one.node for one in host.attachments if one.is_used), "-"),
                duration(next((one.rtt_s for one in host.attachments if one.is_used), None)),
            )
            for host in hosts
        ],
    )
    silent = {polled.target.name: polled.trouble for polled in found if polled.answer is None}
    down = {node.node.name: down for node in nodes if (down := down_services(node))}
    document = {"answers": answers, "silent": silent, "down": down}
    output.document("ei.status/1", document)


def _services(running: RunningStatus) -> str:
    down = down_services(running)
    names = [service.name for service in running.node.services]
    return ", ".join(f"{name} (down)" if name in down else name for name in names)
