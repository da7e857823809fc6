"""Who is connected to a server of a daemon: counted, and hung up on when it closes."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress


class Clients:
    """The tasks that serve the clients of one server, as asyncio starts one for each."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    @contextmanager
    def serving(self) -> Generator[None]:
        """Count the current task as a client; being hung up on ends the block, quietly."""
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("asyncio serves each client in a task")
        self._tasks.add(task)
        try:
            # asyncio would report a task that was cancelled as an error of its callback.
            with suppress(asyncio.CancelledError):
                yield
        finally:
            self._tasks.discard(task)

    async def wait(self, limit_s: float) -> None:
        """Return when all have left, or that time is over."""
        if self._tasks:
            _ = await asyncio.wait(self._tasks, timeout=limit_s)

    async def hang_up(self) -> None:
        """End all, and wait for it."""
        for task in self._tasks:
            _ = task.cancel()
        if self._tasks:
            _ = await asyncio.wait(self._tasks)
