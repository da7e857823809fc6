"""The metrics of a node: names that hold, labels that are bounded, values that were counted."""

import re

import msgspec

from ei.node.admin import RunningStatus
from ei.node.ceiling import MemoryStatus
from ei.node.metrics import MAX_PEER_SERIES, METRICS, metrics_text
from ei.node.observed import Observed
from ei.node.service_worker import WorkerStatus
from ei.node.status import NodeStatus, PeerStatus, ServiceStatus
from ei.node.stream_status import ServiceStreams, StreamStatus

CORE = {
    "ei_build_info": ("version", "wire"),
    "ei_packets_received_total": (),
    "ei_packets_sent_total": (),
    "ei_packets_dropped_total": ("reason",),
    "ei_bytes_received_total": (),
    "ei_bytes_sent_total": (),
    "ei_handshakes_total": ("result",),
    "ei_sessions": (),
    "ei_peer_up": ("peer",),
    "ei_module_invocations_total": ("service", "result"),
    "ei_invocation_duration_seconds": ("service",),
    "ei_queue_bytes": ("queue",),
    "ei_queue_limit_bytes": ("queue",),
    "ei_module_cpu_seconds_total": ("service",),
    "ei_module_memory_bytes": ("service",),
    "ei_route_entries": (),
    "ei_key_expiry_seconds": (),
    "ei_events_lost_total": (),
    "ei_health": ("check",),
}
"""Dashboards and alarms are built on these: within a major version the list only grows."""

ECHO = ServiceStatus(
    number=17, name="echo", version="1.0.0", missed=7, queue_packets=2, decisions=5,
    queue_bytes=512, queue_limit_bytes=2_097_152, batches=2, events=6, failed=1,
    batch_ns=300_000, batch_seconds=(0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
)  # fmt: skip
WORKER = WorkerStatus("echo", 9, "running", 2, "", cpu_s=1.5, memory_bytes=4_096)
NODE = NodeStatus(
    name="sn1.isp-a",
    address="fd35::1",
    domain="isp-a",
    received=9,
    forwarded=5,
    delivered=0,
    consumed=1,
    missed=2,
    dropped={"replayed": 1, "no_pipe": 3},
    services=(ECHO,),
    peers=(),
    refused_records={},
    sent=6,
    received_bytes=900,
    sent_bytes=600,
    record_expires_unix_s=2_000,
    handshakes={"answered": 4, "refused": 1},
    route_entries=12,
)


def peer(name: str, *, kind: str = "node", is_up: bool = True) -> PeerStatus:
    told = {
        "address": "", "name": name, "kind": kind, "is_up": is_up, "rtt_s": None, "endpoint": None,
        "sent": 0, "received": 0, "sent_bytes": 0, "received_bytes": 0,
    }  # fmt: skip
    return msgspec.convert(told, PeerStatus)


def running(node: NodeStatus = NODE, worker: WorkerStatus = WORKER) -> RunningStatus:
    return RunningStatus(
        pid=1,
        uptime_s=1.0,
        endpoints=(),
        node=node,
        workers=(worker,),
        telemetry={"sent": 3, "dropped": 1},
    )


def values_of(status: RunningStatus) -> dict[str, float]:
    """Return name and labels of each sample, and its value."""
    text = metrics_text(Observed(status, unix_s=1_900.0, version="1.2.3"))
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in samples}


def test_the_core_list_is_frozen() -> None:
    assert {metric.name: metric.labels for metric in METRICS if metric.is_core} == CORE


def test_names_are_those_that_prometheus_expects() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"ei_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_what_was_counted_is_told() -> None:
    values = values_of(running())

    assert values["ei_packets_received_total"] == 9
    assert values["ei_packets_sent_total"] == 6
    assert values["ei_bytes_received_total"] == 900
    assert values["ei_bytes_sent_total"] == 600
    assert values['ei_packets_dropped_total{reason="no_pipe"}'] == 3
    assert values['ei_packet_fates_total{fate="forwarded"}'] == 5
    assert values['ei_service_missed_total{service="echo"}'] == 7
    assert values['ei_module_cpu_seconds_total{service="echo"}'] == 1.5
    assert values['ei_module_memory_bytes{service="echo"}'] == 4_096
    assert values['ei_worker_starts_total{service="echo"}'] == 2
    assert values['ei_handshakes_total{result="answered"}'] == 4
    assert values['ei_module_invocations_total{service="echo",result="answered"}'] == 6
    assert values['ei_module_invocations_total{service="echo",result="failed"}'] == 1
    assert values['ei_invocation_duration_seconds_bucket{service="echo",le="0.00025"}'] == 2
    assert values['ei_invocation_duration_seconds_sum{service="echo"}'] == 0.0003
    assert values['ei_queue_bytes{queue="echo"}'] == 512
    assert values['ei_queue_limit_bytes{queue="echo"}'] == 2_097_152
    assert values['ei_telemetry_requests_total{result="dropped"}'] == 1
    assert values["ei_route_entries"] == 12
    assert values["ei_key_expiry_seconds"] == 100
    assert values['ei_build_info{version="1.2.3",wire="1"}'] == 1


def test_sessions_are_all_pipes_that_are_up_and_only_nodes_have_a_series_of_their_own() -> None:
    peers = (peer("sn2.isp-b"), peer("sn3.isp-b", is_up=False), peer("a.isp-a", kind="host"))

    values = values_of(running(msgspec.structs.replace(NODE, peers=peers)))

    assert values["ei_sessions"] == 2
    assert {name: value for name, value in values.items() if "peer=" in name} == {
        'ei_peer_up{peer="sn2.isp-b"}': 1,
        'ei_peer_up{peer="sn3.isp-b"}': 0,
    }


def test_many_peers_do_not_make_many_series() -> None:
    peers = tuple(peer(f"sn{number}.isp-b") for number in range(MAX_PEER_SERIES + 50))

    values = values_of(running(msgspec.structs.replace(NODE, peers=peers)))

    assert sum("peer=" in name for name in values) == MAX_PEER_SERIES


def test_a_worker_without_a_process_of_its_own_has_no_usage() -> None:
    values = values_of(running(worker=WorkerStatus("echo", 9, "running", 1, "")))

    assert not [name for name in values if name.startswith(("ei_module_cpu", "ei_module_memory"))]


def test_what_is_wrong_is_told_by_what_was_looked_at() -> None:
    sick = running(NODE, WorkerStatus("echo", 0, "waiting", 3, "exit 1"))

    assert values_of(sick)['ei_health{check="workers"}'] == 0
    assert values_of(sick)['ei_health{check="records"}'] == 1


def test_what_is_held_and_what_made_room_is_told_where_somebody_watches() -> None:
    memory = MemoryStatus(
        held_bytes=90,
        limit_bytes=100,
        is_tight=False,
        given_up={"kept": 3, "worker": 1},
        forgotten_bytes=7,
    )
    watched = msgspec.structs.replace(running(), memory=memory)

    values = values_of(watched)

    assert {name: value for name, value in values.items() if name.startswith("ei_memory")} == {
        'ei_memory_bytes{what="held"}': 90,
        'ei_memory_bytes{what="limit"}': 100,
        'ei_memory_given_up_total{what="kept"}': 3,
        'ei_memory_given_up_total{what="worker"}': 1,
    }
    crowded = msgspec.structs.replace(NODE, streams=StreamStatus(crowded_out=5))
    assert values_of(running(crowded))['ei_memory_given_up_total{what="stream"}'] == 5
    assert not [name for name in values_of(running()) if name.startswith("ei_memory")]


def test_streams_are_told_where_there_are_some() -> None:
    streams = StreamStatus(
        open=2,
        closed={"reset": 3},
        read_bytes=10,
        written_bytes=20,
        spliced_bytes=5,
        buffered_bytes=7,
        queue_overflows=1,
        services={"joins": ServiceStreams(2, 9)},
    )

    values = values_of(running(msgspec.structs.replace(NODE, streams=streams)))

    assert {name: value for name, value in values.items() if name.startswith("ei_stream")} == {
        'ei_streams{service="joins"}': 2,
        'ei_streams_opened_total{service="joins"}': 9,
        'ei_streams_closed_total{reason="reset"}': 3,
        'ei_stream_bytes_total{direction="read"}': 10,
        'ei_stream_bytes_total{direction="written"}': 20,
        'ei_stream_bytes_total{direction="spliced"}': 5,
        "ei_stream_buffered_bytes": 7,
        "ei_stream_queue_overflows_total": 1,
    }
    assert not [name for name in values_of(running()) if name.startswith("ei_stream")]
