"""Nothing waits for ever: whatever blocks has a deadline and says what it waited for."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ei.errors import DeadlineError

DEFAULT_S = 10.0


def earliest(*deadlines_ns: int | None) -> int | None:
    """Return the first of several deadlines, of which `None` is never."""
    first_ns = None
    for each_ns in deadlines_ns:
        if each_ns is not None and (first_ns is None or each_ns < first_ns):
            first_ns = each_ns
    return first_ns


@asynccontextmanager
async def within(deadline_s: float, waited_for: str) -> AsyncGenerator[None]:
    """Run a block for at most `deadline_s` seconds.

    Args:
        waited_for: Completes the sentence "within 2 s there was no ...".

    Raises:
        DeadlineError: the time is over.
    """
    scope = asyncio.timeout(deadline_s)
    try:
        async with scope:
            yield
    except TimeoutError as error:
        if not scope.expired() or isinstance(error, DeadlineError):
            raise
        raise DeadlineError(f"within {deadline_s:g} s there was no {waited_for}") from error
