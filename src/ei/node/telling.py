"""Tells a collector of OpenTelemetry, every few seconds, what a node counts and traces."""

import time
from importlib import metadata

from ei._core import monotonic_ns
from ei.daemons.exporting import Exporter
from ei.daemons.log import Log
from ei.errors import ConfigError
from ei.node.admin import RunningStatus
from ei.node.config import NodeConfig
from ei.node.observed import Observed
from ei.node.traces import TraceRecord

NS_PER_S = 1_000_000_000


def telling_of(config: NodeConfig, log: Log) -> "Telling | None":
    """Return who tells the collector that a node's configuration names, if it names one.

    Raises:
        ConfigError: the extra `otel` is not installed.
    """
    if config.telemetry is None:
        return None
    return Telling(
        config.telemetry.otlp,
        name=config.name,
        unix_ns=time.time_ns(),
        monotonic_ns=monotonic_ns(),
        log=log,
    )


class Telling:
    """Tells one collector.

    Args:
        url: Of the collector.
        name: Of the node.
        unix_ns, monotonic_ns: Both clocks now.

    Raises:
        ConfigError: the extra `otel` is not installed.
    """

    def __init__(self, url: str, *, name: str, unix_ns: int, monotonic_ns: int, log: Log) -> None:
        try:
            # Only who tells a collector has the library of what it understands.
            from ei.node import telemetry  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError(
                f"telemetry: {error.name} is not installed",
                remedy="Install it: pip install 'extensible-internet[otel]'",
            ) from error
        self._telemetry = telemetry
        self._exporter = Exporter(url)
        self._log = log
        self._trouble = ""
        self._told_ns = monotonic_ns
        self._origin = telemetry.Origin(
            name=name,
            version=metadata.version("extensible-internet"),
            started_unix_ns=unix_ns,
            unix_offset_ns=unix_ns - monotonic_ns,
        )

    def open(self) -> None:
        """Start the thread that posts."""
        self._exporter.open()

    def tell(self, running: RunningStatus, traces: list[TraceRecord], *, unix_s: float) -> None:
        """Hand over how the node is, and those of its traces that were not told yet."""
        observed = Observed(running, unix_s=unix_s, version=self._origin.version)
        self._exporter.offer("/v1/metrics", self._telemetry.metrics_request(observed, self._origin))
        new = [record for record in traces if record.now_ns > self._told_ns]
        if new:
            self._told_ns = max(record.now_ns for record in new)
            self._exporter.offer("/v1/traces", self._telemetry.traces_request(new, self._origin))
        if self._exporter.trouble != self._trouble:
            self._trouble = self._exporter.trouble
            if self._trouble:
                self._log.warn("telemetry not taken", collector_says=self._trouble)
            else:
                self._log.info("telemetry taken again")

    def statistics(self) -> dict[str, int]:
        """Return how many requests were sent, failed and dropped."""
        return self._exporter.statistics()

    def close(self) -> None:
        """Tell no more."""
        self._exporter.close()
