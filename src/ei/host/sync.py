"""The host of a program without asyncio: the same objects, whose calls block.

    with ei.connect("host.toml") as host:
        print(host.ping("bob.isp-b"))
        with host.datagrams() as channel:
            receipt = channel.send("bob.isp-b", b"hello", port=7)

One background thread runs the event loop; calls may come from any thread.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

from ei.errors import LocalError
from ei.host import client
from ei.host.channels import DatagramChannel, ServiceChannel
from ei.host.connect import connect as connect_async
from ei.host.deadlines import DEFAULT_S
from ei.host.events import DatagramReceived, PacketReceived
from ei.host.status import HostStatus
from ei.host.streams import READ_BYTES, Stream, StreamListener
from ei.host.verdicts import Receipt
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

ResultT = TypeVar("ResultT")


class LoopThread:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="ei host", daemon=True)
        self._thread.start()
        self._is_stopped = False
        # What was handed over before the loop stops has begun by then; nothing is after it.
        self._door = threading.Lock()

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run a coroutine there and return its result.

        Raises:
            LocalError: it is stopped, before or meanwhile.
        """
        with self._door:
            if self._is_stopped:
                coroutine.close()
                raise LocalError("the host is closed")
            running = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return running.result()
        except CancelledError as error:
            raise LocalError("the host is closed") from error

    def call(self, function: Callable[[], ResultT]) -> ResultT:
        """Call a function there and return its result."""

        async def call() -> ResultT:
            return function()

        return self.run(call())

    def stop(self) -> None:
        """Stop the loop and its thread; what still runs there is cancelled. Idempotent."""
        with self._door:
            if self._is_stopped:
                return
            self._is_stopped = True
            _ = self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _work(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(_cancel_others())
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        _ = task.cancel()
    _ = await asyncio.gather(*others, return_exceptions=True)


class Host:
    """A host; see `ei.host.client.Host` for what each call does."""

    def __init__(self, host: client.Host, loop: LoopThread) -> None:
        self._host = host
        self._loop = loop

    @property
    def name(self) -> str:
        """Full name, such as `alice.isp-a`."""
        return self._host.name

    @property
    def address(self) -> Address:
        """The host's address."""
        return self._host.address

    @property
    def records(self) -> RecordSet:
        """Whom this host knows."""
        return self._host.records

    def status(self) -> HostStatus:
        """Return attachments and counters."""
        return self._loop.call(self._host.status)

    def ping(self, to: str | Address, data: bytes = b"", *, deadline_s: float = 2.0) -> float:
        """Ask another host for an echo; return the round trip in seconds."""
        return self._loop.run(self._host.ping(to, data, deadline_s=deadline_s))

    def datagrams(self, port: int = 0, *, confirms: bool = False) -> "Datagrams":
        """Open a port for datagrams."""
        channel = self._loop.call(lambda: self._host.datagrams(port, confirms=confirms))
        return Datagrams(channel, self._loop)

    def call(self, service: int, *, metadata: bytes = b"") -> "Call":
        """Open a connection to a service."""
        channel = self._loop.call(lambda: self._host.call(service, metadata=metadata))
        return Call(channel, self._loop)

    def open_stream(
        self, to: str | Address, port: int, *, deadline_s: float = DEFAULT_S
    ) -> "BlockingStream":
        """Open a stream to a port of another host."""
        stream = self._loop.run(self._host.open_stream(to, port, deadline_s=deadline_s))
        return BlockingStream(stream, self._loop)

    def open_service_stream(
        self,
        service: int,
        *,
        opening: bytes = b"",
        node: Address | None = None,
        deadline_s: float = DEFAULT_S,
    ) -> "BlockingStream":
        """Open a stream to a service at one of this host's nodes."""
        stream = self._loop.run(
            self._host.open_service_stream(
                service, opening=opening, node=node, deadline_s=deadline_s
            )
        )
        return BlockingStream(stream, self._loop)

    def accept_streams(self, port: int) -> "Listener":
        """Let other hosts open streams to a port."""
        return Listener(self._loop.call(lambda: self._host.accept_streams(port)), self._loop)

    def close(self) -> None:
        """Leave the network. Idempotent."""
        try:
            self._loop.call(self._host.close)
        except LocalError:
            return  # closed before
        self._loop.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Closes(Protocol):
    def close(self) -> None: ...


InnerT = TypeVar("InnerT", bound=_Closes)


class _Closable(Generic[InnerT]):
    """What lives on the loop, and is closed by hand or at the end of a `with` block."""

    def __init__(self, inner: InnerT, loop: LoopThread) -> None:
        self._inner = inner
        self._loop = loop

    def close(self) -> None:
        """Receive no more. Idempotent; it is closed with its host, too."""
        with suppress(LocalError):
            self._loop.call(self._inner.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Datagrams(_Closable[DatagramChannel]):
    """A port for datagrams; see `ei.host.channels.DatagramChannel`."""

    @property
    def port(self) -> int:
        """The port."""
        return self._inner.port

    def try_send(self, to: str | Address, data: bytes, *, port: int | None = None) -> bool:
        """Send a datagram and forget it; return whether it was taken."""
        return self._loop.call(lambda: self._inner.try_send(to, data, port=port))

    def send(
        self,
        to: str | Address,
        data: bytes,
        *,
        port: int | None = None,
        deadline_s: float = DEFAULT_S,
    ) -> Receipt:
        """Send a datagram and say what became of it by the deadline."""
        return self._loop.run(self._inner.send(to, data, port=port, deadline_s=deadline_s))

    def receive(self, *, deadline_s: float = DEFAULT_S) -> DatagramReceived:
        """Return the next datagram."""
        return self._loop.run(self._inner.receive(deadline_s=deadline_s))

    def confirm(self, datagram: DatagramReceived) -> None:
        """State to the sender, if it asked, that nothing will lose this datagram any more."""
        self._loop.call(lambda: self._inner.confirm(datagram))


class Call(_Closable[ServiceChannel]):
    """A connection to a service; see `ei.host.channels.ServiceChannel`."""

    def send(self, *payloads: bytes, is_traced: bool = False) -> int:
        """Send packets; return how many the host's pipe took."""
        return self._loop.call(lambda: self._inner.send(*payloads, is_traced=is_traced))

    def fate(self, *, deadline_s: float = 2.0) -> Receipt:
        """Return what became of the newest traced packet, as nodes say."""
        return self._loop.run(self._inner.fate(deadline_s=deadline_s))

    def ask(self, payload: bytes, *, deadline_s: float = DEFAULT_S) -> PacketReceived:
        """Send one packet and return the next that comes."""
        return self._loop.run(self._inner.ask(payload, deadline_s=deadline_s))

    def receive(self, *, deadline_s: float = DEFAULT_S) -> PacketReceived:
        """Return the next packet."""
        return self._loop.run(self._inner.receive(deadline_s=deadline_s))


class BlockingStream:
    """A stream; see `ei.host.streams.Stream`."""

    def __init__(self, stream: Stream, loop: LoopThread) -> None:
        self._stream = stream
        self._loop = loop

    @property
    def peer(self) -> Address:
        """The other host, or the node, proven."""
        return self._stream.peer

    def read(self, max_bytes: int = READ_BYTES, *, deadline_s: float = DEFAULT_S) -> bytes:
        """Return what is there, at least one byte; `b""` at the end."""
        return self._loop.run(self._stream.read(max_bytes, deadline_s=deadline_s))

    def read_all(self, *, deadline_s: float = DEFAULT_S) -> bytes:
        """Return everything up to the end, at most 16 MiB."""
        return self._loop.run(self._stream.read_all(deadline_s=deadline_s))

    def write(self, data: bytes, *, deadline_s: float = DEFAULT_S) -> None:
        """Write all of `data`."""
        self._loop.run(self._stream.write(data, deadline_s=deadline_s))

    def finish(self, *, deadline_s: float = DEFAULT_S) -> None:
        """End the own direction; return when the peer's stack has everything."""
        self._loop.run(self._stream.finish(deadline_s=deadline_s))

    def abort(self) -> None:
        """Give the stream up. Idempotent."""
        self._loop.call(self._stream.abort)


class Listener(_Closable[StreamListener]):
    """A port for streams; see `ei.host.streams.StreamListener`."""

    def accept(self, *, deadline_s: float = DEFAULT_S) -> BlockingStream:
        """Return the next stream that a peer opens."""
        stream = self._loop.run(self._inner.accept(deadline_s=deadline_s))
        return BlockingStream(stream, self._loop)


def connect(path: Path | str | None = None, *, deadline_s: float = DEFAULT_S) -> Host:
    """Attach the host of a `host.toml` and return it.

    Args:
        path: See `ei.host.connect.connect`.

    Raises:
        DeadlineError: no node answered.
        EiError: what is wrong and what to do.
    """
    loop = LoopThread()
    try:
        host = loop.run(_attach(path, deadline_s))
    except BaseException:
        loop.stop()
        raise
    return Host(host, loop)


async def _attach(path: Path | str | None, deadline_s: float) -> client.Host:
    host = connect_async(path)
    try:
        await host.attach(deadline_s=deadline_s)
    except BaseException:
        host.close()
        raise
    return host
