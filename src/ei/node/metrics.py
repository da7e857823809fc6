"""What a node tells Prometheus. `docs/reference/metrics.md` is made from this table.

Labels are bounded: services and reasons come from manifests and the datapath, checks and fates from
this file, and of the nodes that are peers the first 256 by name are told apart.
"""

from collections.abc import Callable

from ei._core import WIRE_VERSION
from ei.daemons.exposition import Histogram, Metric, Values, exposition
from ei.node.health import health
from ei.node.metrics_of_registry import REGISTRY_METRICS
from ei.node.observed import Observed
from ei.node.service_worker import WorkerStatus
from ei.node.status import BATCH_BOUNDS_S, ServiceStatus
from ei.node.stream_status import StreamStatus

MAX_PEER_SERIES = 256


def metrics_text(observed: Observed) -> str:
    """Return the page `/metrics`."""
    return exposition(METRICS, observed)


def _one(read: Callable[[Observed], float]) -> Callable[[Observed], Values]:
    return lambda observed: {(): read(observed)}


def _by_service(read: Callable[[ServiceStatus], float]) -> Callable[[Observed], Values]:
    return lambda observed: {
        (service.name,): read(service) for service in observed.running.node.services
    }


def _by_word(read: Callable[[Observed], dict[str, int]]) -> Callable[[Observed], Values]:
    return lambda observed: {(word,): count for word, count in sorted(read(observed).items())}


def _fates(observed: Observed) -> dict[str, int]:
    node = observed.running.node
    names = ("forwarded", "delivered", "consumed", "missed")
    return {name: getattr(node, name) for name in names}


def _peers_up(observed: Observed) -> Values:
    nodes = [peer for peer in observed.running.node.peers if peer.kind == "node"]
    shown = sorted(nodes, key=lambda peer: peer.name)[:MAX_PEER_SERIES]
    return {(peer.name,): int(peer.is_up) for peer in shown}


def _health(observed: Observed) -> Values:
    found = health(observed.running, unix_s=observed.unix_s)
    return {(check,): int(not trouble) for check, trouble in found.items()}


def _invocations(observed: Observed) -> Values:
    return {
        (service.name, result): count
        for service in observed.running.node.services
        for result, count in (("answered", service.events), ("failed", service.failed))
    }


def _durations(observed: Observed) -> Values:
    return {
        (service.name,): Histogram(BATCH_BOUNDS_S, service.batch_seconds, service.batch_ns / 1e9)
        for service in observed.running.node.services
        if service.batch_seconds
    }


def _by_worker(read: Callable[[WorkerStatus], float | None]) -> Callable[[Observed], Values]:
    def values(observed: Observed) -> Values:
        used = {(worker.service,): read(worker) for worker in observed.running.workers}
        return {labels: value for labels, value in used.items() if value is not None}

    return values


def _held(observed: Observed) -> Values:
    memory = observed.running.memory
    if memory is None:
        return {}
    return {("held",): memory.held_bytes, ("limit",): memory.limit_bytes}


def _given_up(observed: Observed) -> dict[str, int]:
    memory, streams = observed.running.memory, observed.running.node.streams
    crowded_out = {} if streams is None else {"stream": streams.crowded_out}
    return crowded_out if memory is None else {**memory.given_up, **crowded_out}


def _of_streams(read: Callable[[StreamStatus], Values]) -> Callable[[Observed], Values]:
    def values(observed: Observed) -> Values:
        streams = observed.running.node.streams
        return {} if streams is None else read(streams)

    return values


METRICS: tuple[Metric[Observed], ...] = (
    Metric(
        "ei_build_info",
        "gauge",
        "Always 1: what runs here.",
        lambda observed: {(observed.version, str(WIRE_VERSION)): 1},
        labels=("version", "wire"),
        is_core=True,
    ),
    Metric(
        "ei_packets_received_total",
        "counter",
        "Packets received, each of which has exactly one fate.",
        _one(lambda observed: observed.running.node.received),
        is_core=True,
    ),
    Metric(
        "ei_packets_sent_total",
        "counter",
        "Packets sent, a copy for each next hop.",
        _one(lambda observed: observed.running.node.sent),
        is_core=True,
    ),
    Metric(
        "ei_messages_refused_total",
        "counter",
        "Messages for the node itself that came to nothing, by reason.",
        _by_word(lambda observed: observed.running.node.refused_messages),
        labels=("reason",),
    ),
    Metric(
        "ei_packets_dropped_total",
        "counter",
        "Packets that went no further, by reason.",
        _by_word(lambda observed: observed.running.node.dropped),
        labels=("reason",),
        is_core=True,
    ),
    Metric(
        "ei_bytes_received_total",
        "counter",
        "Bytes of the datagrams received.",
        _one(lambda observed: observed.running.node.received_bytes),
        is_core=True,
    ),
    Metric(
        "ei_bytes_sent_total",
        "counter",
        "Bytes of the datagrams sent.",
        _one(lambda observed: observed.running.node.sent_bytes),
        is_core=True,
    ),
    Metric(
        "ei_handshakes_total",
        "counter",
        "Handshakes of pipes. initiated: by this node. answered: of others. completed: of both. "
        "refused: for whatever reason.",
        _by_word(lambda observed: observed.running.node.handshakes),
        labels=("result",),
        is_core=True,
    ),
    Metric(
        "ei_sessions",
        "gauge",
        "Peers whose pipe is up: hosts and nodes.",
        _one(lambda observed: sum(peer.is_up for peer in observed.running.node.peers)),
        is_core=True,
    ),
    Metric(
        "ei_peer_up",
        "gauge",
        f"Whether the pipe to a node is up, for the first {MAX_PEER_SERIES} nodes by name.",
        _peers_up,
        labels=("peer",),
        is_core=True,
    ),
    Metric(
        "ei_module_invocations_total",
        "counter",
        "Events of a service. answered: by its worker. failed: the worker died, or an effect was "
        "refused.",
        _invocations,
        labels=("service", "result"),
        is_core=True,
    ),
    Metric(
        "ei_invocation_duration_seconds",
        "histogram",
        "Time from handing a batch of events to the worker of a service to its answer.",
        _durations,
        labels=("service",),
        is_core=True,
    ),
    Metric(
        "ei_queue_bytes",
        "gauge",
        "What waits for a service, with 256 bytes for each packet.",
        _by_service(lambda service: service.queue_bytes),
        labels=("queue",),
        is_core=True,
    ),
    Metric(
        "ei_queue_limit_bytes",
        "gauge",
        "What may wait for a service at most.",
        _by_service(lambda service: service.queue_limit_bytes),
        labels=("queue",),
        is_core=True,
    ),
    Metric(
        "ei_module_cpu_seconds_total",
        "counter",
        "CPU time of the process that runs a service, since that process began.",
        _by_worker(lambda worker: worker.cpu_s),
        labels=("service",),
        is_core=True,
    ),
    Metric(
        "ei_module_memory_bytes",
        "gauge",
        "Resident memory of the process that runs a service.",
        _by_worker(lambda worker: worker.memory_bytes),
        labels=("service",),
        is_core=True,
    ),
    Metric(
        "ei_route_entries",
        "gauge",
        "Routes to other domains that are kept.",
        _one(lambda observed: observed.running.node.route_entries),
        is_core=True,
    ),
    Metric(
        "ei_key_expiry_seconds",
        "gauge",
        "Time until the record of this node's keys ends; negative once it has.",
        _one(lambda observed: observed.running.node.record_expires_unix_s - observed.unix_s),
        is_core=True,
    ),
    Metric(
        "ei_events_lost_total",
        "counter",
        "Notices of the datapath that found 65,536 others waiting for the node's process.",
        _one(lambda observed: observed.running.node.notice_overflows),
        is_core=True,
    ),
    Metric(
        "ei_health",
        "gauge",
        "1 while all is well. workers: each service has one. records: none is refused. "
        "identity: the record of this node is valid. draining: it does not.",
        _health,
        labels=("check",),
        is_core=True,
    ),
    Metric(
        "ei_packet_fates_total",
        "counter",
        "Packets received that were not dropped at once, by fate.",
        _by_word(_fates),
        labels=("fate",),
    ),
    Metric(
        "ei_copies_dropped_total",
        "counter",
        "Copies of forwarded packets that were not sent, by reason.",
        _by_word(lambda observed: observed.running.node.copies_dropped),
        labels=("reason",),
    ),
    Metric(
        "ei_service_missed_total",
        "counter",
        "Packets without a cached decision, handed to their service.",
        _by_service(lambda service: service.missed),
        labels=("service",),
    ),
    Metric(
        "ei_service_decisions",
        "gauge",
        "Decisions of a service that are cached now.",
        _by_service(lambda service: service.decisions),
        labels=("service",),
    ),
    Metric(
        "ei_service_queue_packets",
        "gauge",
        "Packets that wait for a service.",
        _by_service(lambda service: service.queue_packets),
        labels=("service",),
    ),
    Metric(
        "ei_worker_starts_total",
        "counter",
        "How often the worker of a service was started.",
        lambda observed: {(worker.service,): worker.starts for worker in observed.running.workers},
        labels=("service",),
    ),
    Metric(
        "ei_streams",
        "gauge",
        "Streams of a service that are open.",
        _of_streams(lambda streams: {(name,): one.open for name, one in streams.services.items()}),
        labels=("service",),
    ),
    Metric(
        "ei_streams_opened_total",
        "counter",
        "Streams of a service that were opened, by others or by itself.",
        _of_streams(
            lambda streams: {(name,): each.opened for name, each in streams.services.items()}
        ),
        labels=("service",),
    ),
    Metric(
        "ei_streams_closed_total",
        "counter",
        "Streams that have ended, or were never open, by reason.",
        _of_streams(
            lambda streams: {(word,): count for word, count in sorted(streams.closed.items())}
        ),
        labels=("reason",),
    ),
    Metric(
        "ei_stream_bytes_total",
        "counter",
        "Bytes of streams. read: from other ends. written: to them. spliced: seen by no service.",
        _of_streams(
            lambda streams: {
                ("read",): streams.read_bytes,
                ("spliced",): streams.spliced_bytes,
                ("written",): streams.written_bytes,
            }
        ),
        labels=("direction",),
    ),
    Metric(
        "ei_stream_buffered_bytes",
        "gauge",
        "Bytes of streams that are on their way through this node.",
        _of_streams(lambda streams: {(): streams.buffered_bytes}),
    ),
    Metric(
        "ei_stream_queue_overflows_total",
        "counter",
        "Datagrams of streams that found their queue full; they are sent again.",
        _of_streams(lambda streams: {(): streams.queue_overflows}),
    ),
    Metric(
        "ei_memory_bytes",
        "gauge",
        "What the node and its workers hold. limit: what they may.",
        _held,
        labels=("what",),
    ),
    Metric(
        "ei_memory_given_up_total",
        "counter",
        "How often something made room. kept: what was kept to be sent again or resumed. stream: a"
        " stream or connection, for the newest. worker: all that one had in memory.",
        _by_word(_given_up),
        labels=("what",),
    ),
    Metric(
        "ei_telemetry_requests_total",
        "counter",
        "Requests to the collector of OpenTelemetry. failed: not taken. dropped: too many waited.",
        _by_word(lambda observed: observed.running.telemetry),
        labels=("result",),
    ),
    Metric(
        "ei_captured_datagrams_total",
        "counter",
        "Datagrams that AF_XDP took from a device before a socket got them.",
        _one(lambda observed: observed.running.node.captured),
    ),
    Metric(
        "ei_socket_overflows_total",
        "counter",
        "Datagrams that found the kernel's buffer of the socket full, or that of a device.",
        _one(lambda observed: observed.running.node.socket_overflows),
    ),
    Metric(
        "ei_thread_overflows_total",
        "counter",
        "Datagrams that one thread received for another, while 1,024 waited for it.",
        _one(lambda observed: observed.running.node.thread_overflows),
    ),
    *REGISTRY_METRICS,
)
