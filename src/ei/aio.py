"""`ei` for asyncio programs: `async with ei.aio.connect() as host`."""

from ei.host.channels import ControlChannel, DatagramChannel, ServiceChannel
from ei.host.client import Host
from ei.host.connect import connect
from ei.host.streams import Stream, StreamListener
from ei.host.verdicts import Receipt

__all__ = [
    "ControlChannel",
    "DatagramChannel",
    "Host",
    "Receipt",
    "ServiceChannel",
    "Stream",
    "StreamListener",
    "connect",
]
