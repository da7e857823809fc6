"""A node's metrics and traces as OpenTelemetry's protobuf says them (OTLP 1), pure.

Sources: https://opentelemetry.io/docs/specs/otlp, /docs/specs/otel/metrics/data-model.

Instruments are named as the metrics of Prometheus, by OpenTelemetry's rules: `ei.packets.dropped`
for `ei_packets_dropped_total`. The steps of one packet are spans of one trace, also when they come
from several nodes: its number follows from source, service and connection.

Needs the extra `otel`: only a node with `[telemetry]` imports this.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as traces

from ei.daemons.exposition import Histogram, Metric
from ei.node.metrics import METRICS
from ei.node.observed import Observed
from ei.node.traces import TraceRecord

CUMULATIVE = metrics.AGGREGATION_TEMPORALITY_CUMULATIVE
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose telemetry it is.

    Attributes:
        name: Of the node.
        started_unix_ns: When it began to count.
        unix_offset_ns: Wall clock minus the monotonic clock of its traces.
    """

    name: str
    version: str
    started_unix_ns: int
    unix_offset_ns: int


def metrics_request(observed: Observed, origin: Origin) -> bytes:
    """Return all metrics as the body of a request to `/v1/metrics`."""
    now_ns = int(observed.unix_s * NS_PER_S)
    told = [
        found
        for metric in METRICS
        if (found := _metric(metric, observed, origin.started_unix_ns, now_ns)) is not None
    ]
    scope = metrics.ScopeMetrics(scope=_scope(origin), metrics=told)
    resource = metrics.ResourceMetrics(resource=_resource(origin), scope_metrics=[scope])
    return bytes(ExportMetricsServiceRequest(resource_metrics=[resource]).SerializeToString())


def traces_request(records: Iterable[TraceRecord], origin: Origin) -> bytes:
    """Return steps of traced packets as the body of a request to `/v1/traces`."""
    spans = [_span(record, origin) for record in records]
    scope = traces.ScopeSpans(scope=_scope(origin), spans=spans)
    resource = traces.ResourceSpans(resource=_resource(origin), scope_spans=[scope])
    return bytes(ExportTraceServiceRequest(resource_spans=[resource]).SerializeToString())


def instrument_name(name: str) -> str:
    """Return the name of a metric as OpenTelemetry writes it."""
    return name.removesuffix("_total").replace("_", ".")


def _metric(
    metric: Metric[Observed], observed: Observed, start_ns: int, now_ns: int
) -> metrics.Metric | None:
    values = metric.read(observed)
    if not values:
        return None
    told = metrics.Metric(name=instrument_name(metric.name), description=metric.meaning)
    labelled = [
        (list(_attributes(dict(zip(metric.labels, words, strict=True)))), value)
        for words, value in values.items()
    ]
    numbers = [
        metrics.NumberDataPoint(
            attributes=attributes,
            start_time_unix_nano=0 if metric.kind == "gauge" else start_ns,
            time_unix_nano=now_ns,
            as_double=value,
        )
        for attributes, value in labelled
        if not isinstance(value, Histogram)
    ]
    match metric.kind:
        case "counter":
            told.sum.CopyFrom(
                metrics.Sum(
                    data_points=numbers, aggregation_temporality=CUMULATIVE, is_monotonic=True
                )
            )
        case "gauge":
            told.gauge.CopyFrom(metrics.Gauge(data_points=numbers))
        case "histogram":
            points = [
                metrics.HistogramDataPoint(
                    attributes=attributes,
                    start_time_unix_nano=start_ns,
                    time_unix_nano=now_ns,
                    count=sum(value.counts),
                    sum=value.total,
                    bucket_counts=value.counts,
                    explicit_bounds=value.bounds,
                )
                for attributes, value in labelled
                if isinstance(value, Histogram)
            ]
            told.histogram.CopyFrom(
                metrics.Histogram(data_points=points, aggregation_temporality=CUMULATIVE)
            )
    return told


def _span(record: TraceRecord, origin: Origin) -> traces.Span:
    flow = f"{record.source} {record.service} {record.connection}"
    step = f"{flow} {record.node} {record.now_ns} {record.how} {record.verdict} {record.to}"
    end_ns = record.now_ns + origin.unix_offset_ns
    said: dict[str, str | int] = {
        "ei.source": record.source_name,
        "ei.service": record.service,
        "ei.connection": f"{record.connection:016x}",
        "ei.how": record.how,
        "ei.verdict": record.verdict,
        "ei.to": record.to,
        "ei.modules": ", ".join(module.title for module in record.modules),
    }
    status = traces.Status()
    if record.how == "dropped":
        status = traces.Status(code=traces.Status.STATUS_CODE_ERROR, message=record.verdict)
    return traces.Span(
        trace_id=sha256(flow.encode()).digest()[:16],
        span_id=sha256(step.encode()).digest()[:8],
        name=f"{record.verdict} at {record.node}",
        kind=traces.Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=end_ns - record.spent_ns,
        end_time_unix_nano=end_ns,
        attributes=_attributes({name: value for name, value in said.items() if value != ""}),
        status=status,
    )


def _resource(origin: Origin) -> Resource:
    said = {
        "service.name": "ei-node",
        "service.instance.id": origin.name,
        "service.version": origin.version,
    }
    return Resource(attributes=_attributes(said))


def _scope(origin: Origin) -> InstrumentationScope:
    return InstrumentationScope(name="ei", version=origin.version)


def _attributes(words: Mapping[str, str | int]) -> Iterator[KeyValue]:
    for key, value in words.items():
        told = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
        yield KeyValue(key=key, value=told)
