r"""Caching on a host: a stream of HTTP to the node's cache, and purges.

stream = await open_proxy(host)
await stream.write(b"GET http://www.example.org/ HTTP/1.1\r\nhost: www.example.org\r\n\r\n")
"""

from itertools import count

import msgspec

from ei.errors import LimitError
from ei.host.client import Host
from ei.host.deadlines import DEFAULT_S, within
from ei.host.streams import Stream
from ei.services.caching.messages import MOST_AT_ONCE, Purge, Purged, Site, write_opening

CACHING = 34
_NUMBERS = count(1)


async def open_proxy(host: Host, *, deadline_s: float = DEFAULT_S) -> Stream:
    """Open a stream to the cache of the host's node, as to a proxy: requests in absolute-form.

    Raises:
        NotFoundError: The node offers no cache.
        DeadlineError, StreamError: As `Host.open_service_stream`.
    """
    return await host.open_service_stream(CACHING, deadline_s=deadline_s)


async def open_site(
    host: Host, name: str, port: int = 80, *, deadline_s: float = DEFAULT_S
) -> Stream:
    """As `open_proxy`, for requests to one site, in origin-form."""
    opening = write_opening(Site(name, port))
    return await host.open_service_stream(CACHING, opening=opening, deadline_s=deadline_s)


async def purge(
    host: Host,
    *,
    urls: tuple[str, ...] = (),
    tags: tuple[bytes, ...] = (),
    is_soft: bool = False,
    deadline_s: float = DEFAULT_S,
) -> None:
    """Let what the host's domain has kept of these be used no more, at all nodes of the tier.

    Args:
        host: Attached.
        urls: As in requests in absolute-form; all variants of each, up to 64.
        tags: That the origin gave by `Surrogate-Key` or `Cache-Tag`, up to 64.
        is_soft: It may still be used stale, while it is asked for anew.
        deadline_s: Until the node has said that it is done there, and that the others are told.

    Raises:
        DeadlineError: The node did not say so; it may be done all the same.
        LimitError: Too many.
    """
    if max(len(urls), len(tags)) > MOST_AT_ONCE:
        raise LimitError(f"{max(len(urls), len(tags))} seen, {MOST_AT_ONCE} at once allowed")
    with host.controls(CACHING) as channel:
        number = next(_NUMBERS)
        channel.send(msgspec.msgpack.encode(Purge(number, urls, tags, is_soft)))
        done = msgspec.msgpack.encode(Purged(number))
        async with within(deadline_s, "word of the node that it has purged"):
            while (await channel.receive(deadline_s=deadline_s)).message != done:
                pass
