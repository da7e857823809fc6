"""What a node tells of the registry that it follows; part of `ei.node.metrics`."""

from collections.abc import Callable

from ei.daemons.exposition import Metric, Values
from ei.node.observed import Observed
from ei.node.registry_status import RegistryStatus


def _followed(read: Callable[[RegistryStatus], Values]) -> Callable[[Observed], Values]:
    def values(observed: Observed) -> Values:
        status = observed.running.registry
        return {} if status is None else read(status)

    return values


REGISTRY_METRICS: tuple[Metric[Observed], ...] = (
    Metric(
        "ei_registry_polls_total",
        "counter",
        "How often the registry was asked. ok: believed. reported: told of a release given up. Else"
        " why not: the word of what was refused, or unreachable.",
        _followed(lambda status: {(word,): n for word, n in sorted(status.polls.items())}),
        labels=("result",),
    ),
    Metric(
        "ei_registry_changes_total",
        "counter",
        "How often a version changed. rate_limited, refused, failed: did not, since it has to wait,"
        " does not start, or could not be fetched or kept, or a part of a bundle is not here.",
        _followed(lambda status: {(word,): n for word, n in sorted(status.changes.items())}),
        labels=("why",),
    ),
    Metric(
        "ei_registry_seen_seconds",
        "gauge",
        "When the registry was believed last, in Unix time; 0 for never.",
        _followed(lambda status: {(): status.seen_unix_s}),
    ),
    Metric(
        "ei_registry_share",
        "gauge",
        "Of the nodes that should run the newest release of a service or bundle: 0 to 1.",
        _followed(
            lambda status: {
                (each.service,): each.share for each in (*status.services, *status.bundles)
            }
        ),
        labels=("service",),
    ),
)
