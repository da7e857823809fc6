"""What OpenTelemetry is told is what was counted and traced."""

from msgspec.structs import replace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.node.test_metrics import running

from ei.node.metrics import METRICS
from ei.node.observed import Observed
from ei.node.telemetry import Origin, instrument_name, metrics_request, traces_request
from ei.node.traces import Module, TraceRecord

ORIGIN = Origin("sn1.isp-a", "1.2.3", started_unix_ns=1_800, unix_offset_ns=1_000)
STEP = TraceRecord(
    node="sn1.isp-a",
    now_ns=500,
    source="fd35::1",
    source_name="alice.isp-a",
    service=16,
    connection=5,
    how="cached",
    verdict="forwarded",
    to="sn1.isp-b",
    spent_ns=100,
    modules=(Module(16, "delivery", "1.0.0"),),
)


def told() -> dict[str, metrics.Metric]:
    body = metrics_request(Observed(running(), unix_s=1_900.0, version="1.2.3"), ORIGIN)
    [resource] = ExportMetricsServiceRequest.FromString(body).resource_metrics
    said = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert said["service.instance.id"] == "sn1.isp-a"
    [scope] = resource.scope_metrics
    return {metric.name: metric for metric in scope.metrics}


def test_every_metric_that_has_a_value_is_told_under_its_name() -> None:
    observed = Observed(running(), unix_s=1_900.0, version="1.2.3")

    assert set(told()) == {
        instrument_name(metric.name) for metric in METRICS if metric.read(observed)
    }
    assert instrument_name("ei_packets_dropped_total") == "ei.packets.dropped"


def test_a_counter_is_a_sum_since_the_start() -> None:
    dropped = told()["ei.packets.dropped"].sum

    assert dropped.is_monotonic
    assert dropped.aggregation_temporality == metrics.AGGREGATION_TEMPORALITY_CUMULATIVE
    values = {point.attributes[0].value.string_value: point for point in dropped.data_points}
    assert values["no_pipe"].as_double == 3
    assert values["no_pipe"].start_time_unix_nano == 1_800
    assert values["no_pipe"].time_unix_nano == 1_900 * 10**9


def test_a_gauge_has_its_value_and_a_histogram_its_buckets() -> None:
    found = told()

    [sessions] = found["ei.sessions"].gauge.data_points
    assert sessions.as_double == 0
    [took] = found["ei.invocation.duration.seconds"].histogram.data_points
    assert list(took.bucket_counts)[:3] == [0, 1, 1]
    assert len(took.bucket_counts) == len(took.explicit_bounds) + 1
    assert (took.count, took.sum) == (2, 0.0003)


def spans(*records: TraceRecord) -> list[Span]:
    [resource] = ExportTraceServiceRequest.FromString(
        traces_request(records, ORIGIN)
    ).resource_spans
    [scope] = resource.scope_spans
    return list(scope.spans)


def test_a_step_of_a_packet_is_a_span_of_so_long() -> None:
    [span] = spans(STEP)

    assert span.name == "forwarded at sn1.isp-a"
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (1_400, 1_500)
    assert (len(span.trace_id), len(span.span_id)) == (16, 8)
    said = {each.key: each.value for each in span.attributes}
    assert said["ei.to"].string_value == "sn1.isp-b"
    assert said["ei.service"].int_value == 16
    assert said["ei.modules"].string_value == "delivery@1.0.0"


def test_steps_at_two_nodes_are_one_trace_and_another_connection_is_another() -> None:
    here, there, other = spans(STEP, replace(STEP, node="sn1.isp-b"), replace(STEP, connection=6))

    assert here.trace_id == there.trace_id
    assert here.span_id != there.span_id
    assert other.trace_id != here.trace_id


def test_a_drop_is_an_error_with_its_reason() -> None:
    [span] = spans(replace(STEP, how="dropped", verdict="no_pipe", to=""))

    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "no_pipe")
    assert "ei.to" not in {each.key for each in span.attributes}
