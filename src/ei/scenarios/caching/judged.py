"""What `http-cache-tests` says of our cache, and of nginx, Varnish and Squid in the same run."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

from ei.host.client import Host
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.caching import others, suite
from ei.scenarios.caching.offering import offering
from ei.scenarios.caching.origin import HERE
from ei.scenarios.caching.others import OTHERS, Other, serving_as
from ei.scenarios.caching.suite import SUITE, VERSION, Verdict
from ei.services.caching.client import open_site
from ei.ways.ends import End, StreamEnd

CASES = f"required cases of {SUITE} {VERSION} that"
FAIL = f"{CASES} fail are those that nobody passes"
"""No other cache of this run, and none of the package's own results."""


async def judged(host: Host, environ: Mapping[str, str]) -> AsyncIterator[Promise]:
    """Let the suite judge the cache of a host's node, and those of others."""
    if command := suite.missing():
        yield unsupported(f"{FAIL}; {command}", "==", "none")
        return
    async with suite.origin_of(environ) as origin:
        required = await suite.required_cases(environ)

        async def judge(port: int) -> Verdict:
            return await suite.judge(port, required, environ)

        async def judge_other(other: Other) -> Verdict:
            async with serving_as(other, origin, environ) as (port, _):
                return await judge(port)

        async def dial() -> End:
            return StreamEnd(await open_site(host, HERE, origin))

        async with offering(dial) as port:
            ours = await judge(port)
        there = [other for other in OTHERS if not others.missing(other)]
        async with asyncio.TaskGroup() as group:
            judging = {each.name: group.create_task(judge_other(each)) for each in there}
    theirs = {name: task.result() for name, task in judging.items()}
    results = await asyncio.to_thread(suite.published)
    yield excused(ours, results.union(*(verdict.passed for verdict in theirs.values())))
    for other in OTHERS:
        for each in beside(other, ours, theirs.get(other.name)):
            yield each


def excused(ours: Verdict, met: Collection[str]) -> Promise:
    """Promise that what fails is met by nobody.

    Args:
        met: Names of the cases that some other cache passes.
    """
    unmet = [name for name in ours.failed if name not in met]
    return promise(FAIL, ", ".join(ours.failed) or "none", "==", ", ".join(unmet) or "none")


def beside(other: Other, ours: Verdict, theirs: Verdict | None) -> tuple[Promise, ...]:
    """Promise that ours is as good as another cache; `None`: that is not installed."""
    passing, failing = f"{CASES} pass, beside {other.name}", f"{CASES} fail, beside {other.name}"
    if theirs is None:
        return (unsupported(f"{passing}; {others.missing(other)}", ">=", limit=True),)
    passed, failed = len(theirs.passed), len(theirs.failed)
    return (
        promise(passing, len(ours.passed), ">=", passed, unit="cases", baseline=passed),
        promise(failing, len(ours.failed), "<=", failed, unit="cases", baseline=failed),
    )
