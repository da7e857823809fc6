"""What is reached by a stream, offered by TCP to programs that know nothing of streams."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from ei.errors import EiError
from ei.scenarios.caching.origin import HERE
from ei.ways.ends import End, TcpEnd
from ei.ways.pump import pump

IDLE_S = 60.0

Dial = Callable[[], Coroutine[Any, Any, End]]


@asynccontextmanager
async def offering(dial: Dial) -> AsyncGenerator[int]:
    """Listen while the context lasts; yield the port.

    Args:
        dial: Opens what is offered, anew for each connection; bytes are handed on as they are.
    """

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        program = TcpEnd(reader, writer)
        try:
            far = await dial()
        except EiError:
            program.abort()
            return
        _ = await pump(program, far, idle_s=IDLE_S)

    server = await asyncio.start_server(carry, HERE, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
