"""What `http-cache-tests` says of our cache, and of nginx, Varnish and Squid in the same run."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

import msgspec

from ei.errors import EiError, LocalError
from ei.host.client import Host
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.caching import others, suite
from ei.scenarios.caching.fetching import fetch
from ei.scenarios.caching.offering import offering
from ei.scenarios.caching.origin import HERE
from ei.scenarios.caching.others import OTHERS, Other, serving_as
from ei.scenarios.caching.suite import CANNOT_BE_MET, SUITE, VERSION, Verdict
from ei.services.caching.client import open_site
from ei.ways.ends import End, StreamEnd

BACK_LIMIT_S = 20.0
CASES = f"required cases of {SUITE} {VERSION} that"
FAIL = f"{CASES} fail, but for the {len(CANNOT_BE_MET)} of decision 160"


async def judged(
    lab: ProcessLab, host: Host, node: str, environ: Mapping[str, str]
) -> AsyncIterator[Promise]:
    """Let the suite judge the cache of a host's node, and those of others."""
    if command := suite.missing():
        yield unsupported(f"{FAIL}; {command}", "==", "none")
        return
    await let_it_share(lab, node)
    async with suite.origin_of(environ) as origin:
        await answers(lab, host, f"http://{HERE}:{origin}/")
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
        yield promise(FAIL, ", ".join(ours.unexplained) or "none", "==", "none")
        there = [other for other in OTHERS if not others.missing(other)]
        async with asyncio.TaskGroup() as group:
            judging = {each.name: group.create_task(judge_other(each)) for each in there}
    for other in OTHERS:
        for each in beside(other, ours, judging[other.name].result() if other in there else None):
            yield each


def beside(other: Other, ours: Verdict, theirs: Verdict | None) -> tuple[Promise, ...]:
    """Promise that ours is as good as another cache; `None`: that is not installed."""
    passing, failing = f"{CASES} pass, beside {other.name}", f"{CASES} fail, beside {other.name}"
    if theirs is None:
        return (unsupported(f"{passing}; {others.missing(other)}", ">=", limit=True),)
    passed, failed = theirs.passed, len(theirs.failed)
    return (
        promise(passing, ours.passed, ">=", passed, unit="cases", baseline=passed),
        promise(failing, len(ours.failed), "<=", failed, unit="cases", baseline=failed),
    )


async def let_it_share(lab: ProcessLab, node: str) -> None:
    """Say in the node's configuration that the suite's own request fields are harmless."""
    await lab.kill(node)
    file = lab.folder(node) / "node.toml"
    text = await asyncio.to_thread(file.read_text)
    fields = msgspec.json.encode(suite.FIELDS).decode()
    words = f"{text}\n[config.caching]\nharmless_fields = {fields}\n"
    _ = await asyncio.to_thread(file.write_text, words)
    await lab.start(node)


async def answers(lab: ProcessLab, host: Host, url: str) -> None:
    """Wait until the host's node, which was started anew, answers again.

    Raises:
        LocalError: It does not.
    """

    async def is_back() -> bool:
        try:
            answer = await fetch(host, url, deadline_s=1.0)
        except EiError:
            return False
        return answer.status < HTTPStatus.INTERNAL_SERVER_ERROR

    if await until(lab, is_back, limit_s=BACK_LIMIT_S) is None:
        raise LocalError(f"no answer from {url} by the cache within {BACK_LIMIT_S:g} s")
