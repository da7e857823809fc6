"""What is reached by a stream, offered by TCP to programs that know nothing of streams."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from typing import Any

from ei.errors import EiError
from ei.scenarios.caching.origin import HERE
from ei.ways.accepting import Listener
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

    async def carry(program: TcpEnd) -> None:
        try:
            far = await dial()
        except EiError:
            program.abort()
            return
        _ = await pump(program, far, idle_s=IDLE_S)

    with closing(Listener(HERE, 0, carry)) as listener:
        yield listener.port
