"""Two nodes are an exchange: what is published at one is read at the other."""

import asyncio
from collections.abc import Mapping

import pytest

from ei.lab.process_lab import ProcessLab
from ei.lab.scenario import load_scenario
from ei.scenarios.pubsub.exchange import exchanged

pytestmark = pytest.mark.slow


def test_every_promise_of_the_exchange_is_kept(environ: Mapping[str, str]) -> None:
    async def program() -> list[str]:
        lab = ProcessLab(load_scenario("pubsub").topology, seed=7, environ=environ)
        try:
            await lab.open()
            return [each.name async for each in exchanged(lab) if each.status != "ok"]
        finally:
            await lab.close()

    assert asyncio.run(program()) == []
