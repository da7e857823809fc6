"""The MQTT gateway beside a host, in its daemon: what `ei gateway mqtt` gives it."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from ei.daemons.log import Log
from ei.errors import DeadlineError, NotFoundError
from ei.host.admin import Verb
from ei.host.client import Host
from ei.host.daemon import Beside
from ei.services.pubsub.client import PubSub, open_pubsub
from ei.ways.mqtt.broker import Broker
from ei.ways.mqtt.exchange import Exchange
from ei.ways.mqtt.keeper import DiskKeeper
from ei.ways.mqtt.limits import MqttLimits
from ei.ways.mqtt.server import MqttServer, listening
from ei.ways.mqtt.session import Sessions

STATE_FILE = "mqtt.sqlite"
"""In the folder of the host."""
OPEN_S = 10.0
AGAIN_S = 1.0


def mqtt_beside(listen: str, *, state: Path, limits: MqttLimits | None = None) -> Beside:
    """Return what serves clients of MQTT.

    Args:
        listen: Endpoint, such as `127.0.0.1:1883`.
        state: Where sessions are kept; its folder exists.
    """
    allowed = limits or MqttLimits()

    @asynccontextmanager
    async def run(host: Host, log: Log) -> AsyncGenerator[Mapping[str, Verb]]:
        server = MqttServer(host.name, listen=listen, limits=allowed, log=log)
        keeper = DiskKeeper(state, limit_bytes=allowed.store_bytes)
        kept = Sessions(await keeper.open())
        try:
            async with asyncio.TaskGroup() as group:
                async with listening(server):
                    working = group.create_task(_work(host, server, keeper, kept, log))
                    yield {"mqtt": server.answer}
                _ = working.cancel()
        finally:
            await keeper.close()

    async def _work(
        host: Host, server: MqttServer, keeper: DiskKeeper, kept: Sessions, log: Log
    ) -> None:
        async with _pubsub(host, log) as pubsub, asyncio.TaskGroup() as group:
            _ = group.create_task(keeper.run())
            broker = Broker(
                Exchange(pubsub, time.time),
                keeper,
                group,
                name=host.name,
                limits=allowed,
                random=os.urandom,
                unix_s=time.time,
                log=log,
            )
            broker.restore(kept)
            server.serve_by(broker)
            log.info("mqtt is ready", at=server.endpoint, sessions=broker.status().sessions)
            _ = await asyncio.Event().wait()

    return run


@asynccontextmanager
async def _pubsub(host: Host, log: Log) -> AsyncGenerator[PubSub]:
    """Open pub/sub, however long it takes until a node offers it."""
    while True:
        is_open = False
        try:
            async with open_pubsub(host, deadline_s=OPEN_S) as pubsub:
                is_open = True
                yield pubsub
                return
        except (DeadlineError, NotFoundError) as error:
            if is_open:
                raise
            log.warn("no pub/sub", reason=str(error))
            await asyncio.sleep(AGAIN_S)
