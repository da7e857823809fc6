"""Two nodes that keep together: each page is fetched by one of them, a purge reaches both."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

from ei.errors import EiError
from ei.host.client import Host
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise
from ei.scenarios.caching.fetching import fetch
from ei.scenarios.caching.origin import Origin, Page
from ei.services.caching.client import purge

PAGES = 20
PROBES = 8
"""Pages of which some are kept by either node."""
PURGE_LIMIT_S = 1.0
START_LIMIT_S = 10.0
OLD, NEW = b"old", b"new"
LINES = ("cache-control: max-age=600", "cache-tag: news")


async def kept_together(
    lab: ProcessLab, dave: Host, frank: Host, origin: Origin
) -> AsyncIterator[Promise]:
    """Let a host at each node ask for the same pages, and one of them purge."""
    urls = [origin.url(f"/tier/{number}") for number in range(PAGES)]
    say(origin, OLD)
    probes = count()

    async def is_joined() -> bool:
        return await is_one_fetch(dave, frank, origin, [next(probes) for _ in range(PROBES)])

    ready_s = await until(lab, is_joined, limit_s=START_LIMIT_S)
    yield promise("two nodes are a tier", ready_s, "<=", START_LIMIT_S, unit="s")
    for host in (dave, frank):
        _ = await asyncio.gather(*[fetch(host, url) for url in urls])
    asked = sum(origin.asked[f"/tier/{number}"] for number in range(PAGES))
    yield promise("20 pages for hosts of two nodes cost", asked, "==", PAGES, unit="fetches")

    say(origin, NEW)
    began_s = lab.now_s()
    await purge(dave, tags=(b"news",))

    async def is_new() -> bool:
        return {(await fetch(frank, url)).body for url in urls} == {NEW}

    _ = await until(lab, is_new, limit_s=START_LIMIT_S)
    after_s = lab.now_s() - began_s
    yield promise("a purge is seen at the other node", after_s, "<=", PURGE_LIMIT_S, unit="s")


async def is_one_fetch(dave: Host, frank: Host, origin: Origin, probes: list[int]) -> bool:
    """Return whether pages that were never asked for cost one fetch each for both hosts."""
    paths = [f"/probe/{number}" for number in probes]
    try:
        for path in paths:
            for host in (dave, frank):
                _ = await fetch(host, origin.url(path), deadline_s=1.0)
    except EiError:
        return False
    return all(origin.asked[path] == 1 for path in paths)


def say(origin: Origin, body: bytes) -> None:
    """Let the origin have this on all pages."""
    for number in range(PAGES):
        origin.pages[f"/tier/{number}"] = Page(body, LINES)
