"""What a hit costs: hits for each second of CPU, of a node with its workers and of Varnish.

One page of 1 kB is asked for again and again by a few connections, each of which asks when it has
its answer. Ours are streams of a host, those of Varnish are TCP. Counted is the CPU time of the
cache alone, with what the kernel did for it: of all processes of a node, which decrypts and
encrypts what comes and goes; of all of Varnish, which does not.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

from ei.errors import LocalError
from ei.host.client import Host
from ei.lab.cpu_time import used_s
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.caching.offering import Dial
from ei.scenarios.caching.origin import HERE, Page, serving
from ei.scenarios.caching.others import VARNISH, missing, serving_as
from ei.services.caching.client import open_site
from ei.ways.ends import End, StreamEnd, connect_tcp, given_up_on_error, part

AT_ONCE = 8
OUR_HITS = 4_000
THEIR_HITS = 40_000
"""So many that the clock of the kernel, of 10 ms, tells their time."""
APART_LIMIT = 12.0
"""Times our hits that Varnish may give: twice what it gives, since others may be at work here."""
LIMIT_S = 120.0
PAGE_BYTES = 1_000
PATH = "/hits"
ASK = f"GET {PATH} HTTP/1.1\r\nhost: {HERE}\r\n\r\n".encode()
OK = b"HTTP/1.1 200 "
FETCHES = 2
"""One of each cache: all else are hits."""


async def hit(
    lab: ProcessLab, host: Host, node: str, environ: Mapping[str, str]
) -> AsyncIterator[Promise]:
    """Ask for one page again and again, of the cache of a host's node, and of Varnish."""
    name = f"hits of 1 kB for a second of CPU of a node, to 1/{APART_LIMIT:g} of Varnish's"
    if package := missing(VARNISH):
        yield unsupported(f"{name}; {package}", ">=", limit=True)
        return
    async with serving() as (origin, _):
        origin.pages[PATH] = Page(b"x" * PAGE_BYTES, ("cache-control: max-age=600",))

        async def by_stream() -> End:
            return StreamEnd(await open_site(host, HERE, origin.port))

        pid = (await lab.pids())[node]
        ours = await hits_per_cpu_s(by_stream, OUR_HITS, pid)
        async with serving_as(VARNISH, origin.port, environ) as (port, pid):

            async def by_tcp() -> End:
                return await connect_tcp(HERE, port, deadline_s=LIMIT_S)

            theirs = await hits_per_cpu_s(by_tcp, THEIR_HITS, pid)
        are_hits = origin.asked[PATH] == FETCHES
    yield promise(
        name,
        round(ours),
        ">=",
        round(theirs / APART_LIMIT),
        unit="hits",
        baseline=round(theirs),
        is_valid=are_hits,
    )


async def hits_per_cpu_s(dial: Dial, count: int, leader: int) -> float:
    """Ask so often; return how many hits a second of CPU gave.

    Args:
        leader: Process id of the cache, whose session has all its processes.
    """
    await ask(dial, 1)
    began_s = used_s({leader})
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            _ = group.create_task(ask(dial, count // AT_ONCE))
    taken_s = used_s({leader}) - began_s
    if taken_s <= 0:
        raise LocalError(f"{count} hits took no time of process {leader}, or of its session")
    return count / taken_s


async def ask(dial: Dial, count: int) -> None:
    """Ask so often by one connection.

    Raises:
        LocalError: An answer is no whole page.
    """
    end = await dial()
    with given_up_on_error(end):
        for _ in range(count):
            await end.write(ASK)
            said = b""
            while not is_whole(said):
                piece = await end.read()
                said += piece
                if not piece or not said.startswith(OK[: len(said)]):
                    raise LocalError(f"in the place of a page came {said[:200]!r}")
    await part(end)


def is_whole(said: bytes) -> bool:
    """Return whether all of a page has come."""
    head, mark, body = said.partition(b"\r\n\r\n")
    return head.startswith(OK) and bool(mark) and len(body) == PAGE_BYTES
