"""Files to groups beside a host, in its daemon: the admin verbs that `ei cast` asks.

cast_send       group, path, rate_bytes_per_s, linger_s     ei.cast/1   after ei.progress/1
cast_receive    group, folder, deadline_s                   ei.cast/1   after ei.progress/1
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from ei.daemons.log import Log
from ei.daemons.messages import PROGRESS, Answer, Request
from ei.daemons.verbs import arguments_of, to_answer
from ei.errors import LocalError
from ei.host.admin import Verb
from ei.host.client import Host
from ei.ways.casting import Cast, receive_file, send_file
from ei.ways.dictionaries import dictionary_verbs
from ei.ways.publishing import publishing_beside

STILL_S = 1.0
"""So often who waits hears that it goes on; that shows, too, who has gone."""


class CastSend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `cast_send`."""

    group: str
    path: str
    rate_bytes_per_s: float
    linger_s: float


class CastReceive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `cast_receive`."""

    group: str
    folder: str
    deadline_s: float


@asynccontextmanager
async def verbs_beside(host: Host, log: Log) -> AsyncGenerator[Mapping[str, Verb]]:
    """Answer the verbs of pub/sub, of files to groups and of dictionaries."""
    async with publishing_beside(host, log) as publishing, casting_beside(host, log) as casting:
        yield {**publishing, **casting, **dictionary_verbs(host)}


@asynccontextmanager
async def casting_beside(host: Host, _log: Log) -> AsyncGenerator[Mapping[str, Verb]]:
    """Answer the verbs of files to groups."""

    async def cast_send(request: Request) -> AsyncIterator[Answer]:
        wanted = arguments_of(request, CastSend)
        if not wanted.rate_bytes_per_s > 0:
            raise LocalError(f"a rate of {wanted.rate_bytes_per_s:g} B/s; it must be above 0")
        async for answer in _told(
            send_file(
                host,
                wanted.group,
                _absolute(wanted.path),
                rate_bytes_per_s=wanted.rate_bytes_per_s,
                linger_s=wanted.linger_s,
            )
        ):
            yield answer

    async def cast_receive(request: Request) -> AsyncIterator[Answer]:
        wanted = arguments_of(request, CastReceive)
        folder = _absolute(wanted.folder)
        if not folder.is_dir():
            raise LocalError(f"{folder} is no folder", remedy=f"Make it: mkdir -p {folder}")
        async for answer in _told(
            receive_file(host, wanted.group, folder, deadline_s=wanted.deadline_s)
        ):
            yield answer

    yield {"cast_send": cast_send, "cast_receive": cast_receive}


async def _told(casting: Coroutine[Any, Any, Cast]) -> AsyncIterator[Answer]:
    """Run it, say once a second that it goes on, then how it ended."""
    running = asyncio.ensure_future(casting)  # noqa: TID251 owned and awaited here
    try:
        while not running.done():
            _ = await asyncio.wait({running}, timeout=STILL_S)
            if not running.done():
                yield {"schema": PROGRESS}
        yield to_answer(running.result(), schema="ei.cast/1")
    finally:
        _ = running.cancel()


def _absolute(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise LocalError(f"the path {text!r} is not absolute, and this daemon has its own folder")
    return path
