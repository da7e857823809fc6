"""Caching: a crowd causes one fetch, a purge is seen at once, strangers get and spoil nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable

from ei.host.client import Host
from ei.lab.foreign import environ_of
from ei.lab.lab import Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.caching.fetching import Answer, fetch
from ei.scenarios.caching.hits import hit
from ei.scenarios.caching.judged import judged
from ei.scenarios.caching.oracle import equal
from ei.scenarios.caching.origin import Origin, Page, serving
from ei.scenarios.caching.tier import kept_together
from ei.services.caching.client import purge

BACKENDS = ("processes",)
CROWD = 10_000
AT_ONCE = 200
"""So many begin together: a process of forty hosts has their pipes to keep alive, too."""
HOSTS = 40
"""Each has 250 streams at once, all by one connection."""
CROWD_LIMIT_S = 120.0
PURGE_LIMIT_S = 1.0


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Let many ask at once, purge, poison, and take the origin away."""
    if not isinstance(lab, ProcessLab):
        yield unsupported("origins of the legacy Internet are reached", "==", limit=True)
        return
    members = [lab.host(f"h{number}.isp-a") for number in range(HOSTS)]
    alice, bob, carol = members[0], members[1], lab.host("carol")
    async with serving() as (origin, stop):
        async for each in kept(alice, bob, origin):
            yield each
        yield await read_by_all(members, origin)
        async for each in apart(alice, bob, carol, origin):
            yield each
        async for each in purged(lab, alice, bob, origin):
            yield each
        async for each in crowded(lab, members, origin):
            yield each
        async for each in alone(lab, alice, origin, stop):
            yield each
    async for each in beside_others(lab):
        yield each


async def beside_others(lab: ProcessLab) -> AsyncIterator[Promise]:
    """Let two nodes keep together, and hold one node's cache against those that are not ours."""
    async with serving() as (origin, _):
        async for each in kept_together(lab, lab.host("dave"), lab.host("frank"), origin):
            yield each
    erin, environ = lab.host("erin"), environ_of(lab)
    async for each in judged(erin, environ):
        yield each
    async for each in hit(lab, erin, "sn1.isp-b", environ):
        yield each
    async for each in equal(lab.seed):
        yield each


async def kept(alice: Host, bob: Host, origin: Origin) -> AsyncIterator[Promise]:
    """Ask twice."""
    origin.pages["/page"] = Page(b"hello" * 20_000)
    first = await fetch(alice, origin.url("/page"))
    second = await fetch(bob, origin.url("/page"))
    is_whole = first.body == second.body == b"hello" * 20_000
    yield promise("what one has fetched the next one gets", is_whole, "==", limit=True)
    yield promise("and the origin is asked once", origin.asked["/page"], "==", 1, unit="fetches")
    part = await fetch(bob, origin.url("/page"), "range: bytes=5-9")
    is_part = part.status == 206 and part.body == b"hello"  # noqa: PLR2004 of HTTP
    yield promise("a part is cut from it", is_part, "==", limit=True)


async def read_by_all(members: list[Host], origin: Origin) -> Promise:
    """Let all hosts read a large body at once, twice: as it comes, and as it is kept."""
    whole = bytes(range(256)) * 8_000
    origin.pages["/large"] = Page(whole)
    url = origin.url("/large")
    bodies: list[bytes] = []
    for _ in range(2):
        asking = [fetch(host, url, deadline_s=60.0) for host in members]
        bodies += [answer.body for answer in await asyncio.gather(*asking)]
    is_right = origin.asked["/large"] == 1 and all(body == whole for body in bodies)
    name = f"{len(bodies)} read 2 MB at once, and get it whole, by one fetch"
    return promise(name, is_right, "==", limit=True)


async def apart(alice: Host, bob: Host, carol: Host, origin: Origin) -> AsyncIterator[Promise]:
    """Let one client try what another one gets to see."""
    origin.pages["/echo"] = Page(b"page of ", echoes="x-odd")
    origin.pages["/posing"] = Page(b"page of ", echoes="x-forwarded-host")
    spoiled = 0
    for path, line in (("/echo", "x-odd: evil"), ("/posing", "x-forwarded-host: evil")):
        _ = await fetch(alice, origin.url(path), line)
        spoiled += b"evil" in (await fetch(bob, origin.url(path))).body
    yield promise("a field that is in no key spoils", spoiled, "==", 0, unit="pages")

    before = origin.asked["/page"]
    _ = await fetch(carol, origin.url("/page"), deadline_s=5.0)
    seen = 1 - (origin.asked["/page"] - before)
    yield promise("another domain's host sees of what is kept", seen, "==", 0, unit="pages")


async def purged(lab: Lab, alice: Host, bob: Host, origin: Origin) -> AsyncIterator[Promise]:
    """Purge by a tag that all variants of several pages carry."""
    lines = ("cache-control: max-age=600", "surrogate-key: news", "vary: accept-language")
    for number in range(4):
        origin.pages[f"/news/{number}"] = Page(b"old", lines)
    asks = [(f"/news/{number}", f"accept-language: {of}") for number in range(4) for of in "de"]
    for path, line in asks:
        _ = await fetch(alice, origin.url(path), line)
    for number in range(4):
        origin.pages[f"/news/{number}"] = Page(b"new", lines)

    began_s = lab.now_s()
    await purge(alice, tags=(b"news",))
    after_s = lab.now_s() - began_s
    old = 0
    for path, line in asks:
        old += (await fetch(bob, origin.url(path), line)).body == b"old"
    yield promise("a purge by tag is done", after_s, "<=", PURGE_LIMIT_S, unit="s")
    yield promise("of all that has the tag there is left", old, "==", 0, unit="variants")


async def crowded(lab: Lab, members: list[Host], origin: Origin) -> AsyncIterator[Promise]:
    """Let a crowd ask for what is not there; the origin answers only when all of it waits."""
    origin.pages["/crowd"] = Page(b"for all")
    origin.gate.clear()
    url = origin.url("/crowd")
    began_s = lab.now_s()
    asking: list[asyncio.Task[Answer]] = []
    async with asyncio.TaskGroup() as tasks:
        while len(asking) < CROWD:
            for host in members:
                asked = fetch(host, url, deadline_s=CROWD_LIMIT_S)
                asking.append(tasks.create_task(asked, name=f"one of the crowd at {host.name}"))
            if len(asking) % AT_ONCE == 0:
                await all_wait(lab, len(asking))
        origin.gate.set()
    right = sum(task.result().body == b"for all" for task in asking)
    took_s = lab.now_s() - began_s
    yield promise("10,000 who miss at once cause", origin.asked["/crowd"], "==", 1, unit="fetches")
    yield promise("and all get the answer", right, "==", CROWD, unit="clients")
    yield promise("within", took_s, "<=", CROWD_LIMIT_S, unit="s")


async def all_wait(lab: Lab, count: int) -> None:
    """Wait until so many streams are open at the node."""
    while True:
        streams = (await lab.node_status("sn1.isp-a")).streams
        if streams is not None and streams.open >= count:
            return
        await lab.sleep(0.02)


async def alone(
    lab: Lab, alice: Host, origin: Origin, stop: Callable[[], None]
) -> AsyncIterator[Promise]:
    """Take the origin away from what has become stale."""
    origin.pages["/brief"] = Page(b"still here", ("cache-control: max-age=1",))
    origin.pages["/strict"] = Page(b"not here", ("cache-control: max-age=1, must-revalidate",))
    for path in ("/brief", "/strict"):
        _ = await fetch(alice, origin.url(path))
    stop()
    await lab.sleep(1.5)
    brief = await fetch(alice, origin.url("/brief"))
    strict = await fetch(alice, origin.url("/strict"))
    yield promise("without origin, what is stale is used", brief.body.decode(), "==", "still here")
    yield promise("but not what must be asked for", strict.status, "==", 504)
