"""What programs that watch a node get over HTTP.

/metrics    Prometheus
/healthz    200: the node's process answers
/readyz     200: the datapath's threads answer, too, each service has a worker, and the node does
            not drain; else 503 and why
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib import metadata

from ei.daemons.exposition import CONTENT_TYPE
from ei.daemons.pages import Page
from ei.node.admin import RunningStatus
from ei.node.health import health
from ei.node.metrics import metrics_text
from ei.node.observed import Observed

NEEDED = ("workers", "identity", "draining")
"""Without these no packet gets anywhere. A refused record is mostly the fault of somebody else."""


def probes(
    status: Callable[[], RunningStatus], unix_s: Callable[[], float]
) -> Mapping[str, Callable[[], Page]]:
    """Return the pages by their path.

    Args:
        status: Asks the datapath's threads.
        unix_s: The wall clock.
    """
    version = metadata.version("extensible-internet")

    def metrics() -> Page:
        observed = Observed(status(), unix_s=unix_s(), version=version)
        return Page(metrics_text(observed), content_type=CONTENT_TYPE)

    def ready() -> Page:
        found = health(status(), unix_s=unix_s())
        troubles = [found[check] for check in NEEDED if found[check]]
        if troubles:
            text = "".join(f"{trouble}\n" for trouble in troubles)
            return Page(text, HTTPStatus.SERVICE_UNAVAILABLE)
        return Page("ready\n")

    return {"/metrics": metrics, "/healthz": lambda: Page("ok\n"), "/readyz": ready}
