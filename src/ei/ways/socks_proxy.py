"""A program that speaks SOCKS 5 to the proxy: connections, and datagrams to other hosts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from ei.errors import EiError, StreamError
from ei.ways.dialing import Dialler, dial_settled
from ei.ways.ends import End, given_up_on_error
from ei.ways.pump import pump
from ei.ways.refusals import Refusal, refusal_of
from ei.ways.socks import (
    CONNECT,
    NONE_ACCEPTABLE,
    UDP_ASSOCIATE,
    VERSION,
    Reply,
    Request,
    SocksError,
    choose_method,
    missing_of_request,
    read_request,
    write_reply,
)

REQUEST_BYTES = 5
"""Of a request, up to where its length is known."""


class Associate(Protocol):
    """Carries datagrams of a program while its connection is open."""

    async def __call__(self, opened: Callable[[str, int], Awaitable[None]]) -> None:
        """Call `opened` with where datagrams are taken, and carry them until cancelled."""
        ...


class SocksClient:
    """One connection of a program.

    Args:
        associate: For UDP; `None` refuses it.
        head_s: From the first byte to the end of the request.
        count: Told of each request (`asked`), and of those that came to nothing (`refused`).
    """

    def __init__(  # noqa: PLR0913 who is there, who answers, who is told
        self,
        program: End,
        dialler: Dialler,
        *,
        associate: Associate | None,
        head_s: float,
        idle_s: float,
        count: Callable[[str], object],
    ) -> None:
        self._program = program
        self._dialler = dialler
        self._associate = associate
        self._head_s = head_s
        self._idle_s = idle_s
        self._count = count
        self._ahead = b""

    async def serve(self, first: bytes) -> None:
        """Answer the one request of a connection.

        Args:
            first: What came already.

        Raises:
            StreamError: the program's connection broke.
        """
        self._ahead = first
        try:
            async with asyncio.timeout(self._head_s):
                request = await self._request()
        except TimeoutError:
            return
        except SocksError as error:
            await self._refuse(error.reply)
            return
        if request is None:
            return
        _ = self._count("asked")
        if request.command == CONNECT:
            await self._connect(request)
        elif request.command == UDP_ASSOCIATE and self._associate is not None:
            await self._carry(self._associate)
        else:
            await self._refuse(Reply.UNKNOWN_COMMAND)

    async def _request(self) -> Request | None:
        """Return the request; `None` where no method suits both."""
        version, count = await self._exactly(2)
        if version != VERSION:
            raise SocksError("no greeting of SOCKS 5")
        method = choose_method(await self._exactly(count))
        await self._program.write(bytes((VERSION, method)))
        if method == NONE_ACCEPTABLE:
            return None
        head = await self._exactly(REQUEST_BYTES)
        return read_request(head + await self._exactly(missing_of_request(head)))

    async def _connect(self, request: Request) -> None:
        try:
            if not request.port:
                raise StreamError("port 0 is no port to connect to", kind="refused")
            far = await dial_settled(self._dialler, request.host, request.port)
        except EiError as error:
            refusal: Refusal = refusal_of(error)
            await self._refuse(refusal.reply)
            return
        with given_up_on_error(far):
            await self._program.write(write_reply(Reply.SUCCEEDED))
        _ = await pump(self._program, far, early=self._ahead, idle_s=self._idle_s)

    async def _carry(self, associate: Associate) -> None:
        """Carry datagrams until the program ends this connection."""

        async def opened(host: str, port: int) -> None:
            await self._program.write(write_reply(Reply.SUCCEEDED, host, port))

        async with asyncio.TaskGroup() as group:
            carrying = group.create_task(associate(opened))
            while await self._program.read():
                pass
            _ = carrying.cancel()

    async def _refuse(self, reply: Reply) -> None:
        _ = self._count("refused")
        await self._program.write(write_reply(reply))
        await self._program.finish()

    async def _exactly(self, count: int) -> bytes:
        while len(self._ahead) < count:
            piece = await self._program.read()
            if not piece:
                raise StreamError("the program left in mid-request", kind="lost")
            self._ahead += piece
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return taken
