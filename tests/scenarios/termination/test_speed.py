"""What TLS takes from end to end is measured on a server of this machine."""

import asyncio
from itertools import count

from ei.scenarios.termination.certificates import server_context
from ei.scenarios.termination.ground import Ground
from ei.scenarios.termination.servers import serving
from ei.scenarios.termination.speed import asked_by_tls


def test_the_first_byte_by_tls_is_timed() -> None:
    async def program() -> float:
        ground = Ground("127.0.0.1", {})
        async with serving(ground.listener(), tls=server_context()) as server:
            seconds = count()
            return await asked_by_tls(lambda: float(next(seconds)), ground, server)

    assert asyncio.run(program()) == 1_000.0
