"""`ei` for asyncio programs: `async with ei.aio.connect() as host`."""

from ei.host.channels import ControlChannel, DatagramChannel, Receipt, ServiceChannel
from ei.host.client import Host
from ei.host.connect import connect
from ei.host.streams import Stream, StreamListener

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
