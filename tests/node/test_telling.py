"""A collector is told everything once; one that does not listen is said once."""

import io

from msgspec.structs import replace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.daemons.conftest import Collector
from tests.daemons.test_exporting import wait_until
from tests.node.test_metrics import running
from tests.node.test_telemetry import STEP

from ei.daemons.log import Log
from ei.node.telling import Telling


def telling(url: str, log: Log | None = None) -> Telling:
    log = Log(io.StringIO()) if log is None else log
    made = Telling(url, name="sn1.isp-a", unix_ns=2_000, monotonic_ns=1_000, log=log)
    made.open()
    return made


def test_each_trace_is_told_once(collector: Collector) -> None:
    told = telling(collector.url)
    old, first, second = (replace(STEP, now_ns=at_ns) for at_ns in (900, 1_100, 1_200))

    told.tell(running(), [old, first], unix_s=1_900.0)
    told.tell(running(), [old, first, second], unix_s=1_900.0)
    told.tell(running(), [old, first, second], unix_s=1_900.0)
    wait_until(lambda: told.statistics()["sent"] == 5)
    told.close()

    bodies = [body for path, _, body in collector.posted if path == "/v1/traces"]
    ends = [
        [span.end_time_unix_nano for span in request.resource_spans[0].scope_spans[0].spans]
        for request in map(ExportTraceServiceRequest.FromString, bodies)
    ]
    assert ends == [[2_100], [2_200]]


def test_a_collector_that_does_not_listen_is_said_once_and_again_when_it_does(
    collector: Collector,
) -> None:
    written = io.StringIO()
    told = telling(collector.url, Log(written))
    collector.status = 500

    for _ in range(2):
        failed = told.statistics()["failed"]
        told.tell(running(), [], unix_s=1_900.0)
        wait_until(lambda seen=failed: told.statistics()["failed"] > seen)
    told.tell(running(), [], unix_s=1_900.0)
    wait_until(lambda: told.statistics()["failed"] == 3)
    collector.status = 200
    told.tell(running(), [], unix_s=1_900.0)
    wait_until(lambda: told.statistics()["sent"] == 1)
    told.tell(running(), [], unix_s=1_900.0)
    told.close()

    assert written.getvalue().count("telemetry not taken") == 1
    assert written.getvalue().count("telemetry taken again") == 1
