"""MODULE_NAME: what is written to it comes back in capitals, by stream or by packet.

It asks for as many bytes as it may write, so nothing waits here: whoever reads slowly slows
whoever writes to it. The bytes that it may write, for each stream, are in the ephemeral store;
streams end with the worker, so they need not outlive it.
"""

from collections.abc import Iterable
from typing import assert_never

import msgspec

from ei.sdk import (
    MAX_PIECE_BYTES,
    Context,
    Corner,
    Effect,
    PacketArrived,
    ReadStream,
    SendPacket,
    Service,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    Tables,
    WriteStream,
)


class Open(Tables):
    """Of each open stream, how many bytes may be written."""

    windows = Corner("windows", int)


class ModuleName(Service[None]):
    """Answers in capitals."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Send the packet back in capitals."""
        packet = event.packet
        answer = msgspec.structs.replace(packet, payload=packet.payload.upper())
        yield SendPacket(answer, to=packet.ingress)

    def on_stream(self, event: StreamEvent, ctx: Context[None]) -> Iterable[Effect]:
        """Read a piece, write it, read the next."""
        windows = Open(ctx.ephemeral).windows
        key = event.stream.to_bytes(8, "big")
        match event:
            case StreamOpened(window=window):
                windows.put(key, window)
                yield from read(event.stream, window)
            case StreamData(data=data, is_end=is_end):
                window = (windows.get(key) or 0) - len(data)
                windows.put(key, window)
                yield WriteStream(event.stream, data.upper(), is_end=is_end)
                if not is_end:
                    yield from read(event.stream, window)
            case StreamWritable(window=window):
                was_full = not windows.get(key)
                windows.put(key, window)
                if was_full:  # else the answer to a ReadStream is still to come
                    yield from read(event.stream, window)
            case StreamClosed():
                windows.delete(key)
            case _:
                assert_never(event)


def read(stream: int, window: int) -> Iterable[Effect]:
    """Ask for the next piece, if what it comes to may be written."""
    if window > 0:
        yield ReadStream(stream, limit=min(window, MAX_PIECE_BYTES))


SERVICE = ModuleName
