"""What a host tells Prometheus, where `ei host run --metrics` says so. Pure.

Labels are bounded: kinds and reasons come from the code, and a host has 8 nodes at most.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from ei.daemons.exposition import CONTENT_TYPE, Metric, Values, exposition
from ei.daemons.pages import Page
from ei.host.status import HostStatus


@dataclass(frozen=True, slots=True)
class ObservedHost:
    """A host at one moment; `version` is the program's."""

    status: HostStatus
    version: str


def host_pages(
    status: Callable[[], HostStatus], *, version: str
) -> Mapping[str, Callable[[], Page]]:
    """Return the pages of a host by their path: /metrics, /healthz and /readyz."""

    def metrics() -> Page:
        text = exposition(HOST_METRICS, ObservedHost(status(), version))
        return Page(text, content_type=CONTENT_TYPE)

    def ready() -> Page:
        found = status()
        if any(attachment.is_up for attachment in found.attachments):
            return Page("ready\n")
        return Page(f"{found.summary}\n", HTTPStatus.SERVICE_UNAVAILABLE)

    return {"/metrics": metrics, "/healthz": lambda: Page("ok\n"), "/readyz": ready}


def _by_word(read: Callable[[HostStatus], Mapping[str, int]]) -> Callable[[ObservedHost], Values]:
    return lambda observed: {
        (word,): count for word, count in sorted(read(observed.status).items())
    }


def _round_trips(observed: ObservedHost) -> Values:
    known = {(each.node,): each.rtt_s for each in observed.status.attachments if each.is_up}
    return {labels: rtt_s for labels, rtt_s in known.items() if rtt_s is not None}


HOST_METRICS: tuple[Metric[ObservedHost], ...] = (
    Metric(
        "ei_build_info",
        "gauge",
        "Always 1: what runs here.",
        lambda observed: {(observed.version,): 1},
        labels=("version",),
    ),
    Metric(
        "ei_host_sent_total",
        "counter",
        "Frames and packets sent, by kind.",
        _by_word(lambda status: status.sent),
        labels=("kind",),
    ),
    Metric(
        "ei_host_received_total",
        "counter",
        "Frames and packets received, by kind.",
        _by_word(lambda status: status.received),
        labels=("kind",),
    ),
    Metric(
        "ei_host_dropped_total",
        "counter",
        "What this host dropped, by reason.",
        _by_word(lambda status: status.dropped),
        labels=("reason",),
    ),
    Metric(
        "ei_host_node_up",
        "gauge",
        "Whether the pipe to a node of the host is up.",
        lambda observed: {(each.node,): int(each.is_up) for each in observed.status.attachments},
        labels=("node",),
    ),
    Metric(
        "ei_host_node_used",
        "gauge",
        "1 for the node that gets the host's packets.",
        lambda observed: {(each.node,): int(each.is_used) for each in observed.status.attachments},
        labels=("node",),
    ),
    Metric(
        "ei_host_round_trip_seconds",
        "gauge",
        "Smoothed round trip to a node whose pipe is up.",
        _round_trips,
        labels=("node",),
    ),
    Metric(
        "ei_socket_overflows_total",
        "counter",
        "Datagrams that found the kernel's buffer of the socket full.",
        lambda observed: {(): observed.status.socket_overflows},
    ),
)
