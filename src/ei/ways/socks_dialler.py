"""Opens connections by a proxy that speaks SOCKS 5, such as `ei proxy`."""

from ei.errors import StreamError
from ei.host.deadlines import within
from ei.records.endpoints import Endpoint
from ei.ways.dialing import DIAL_S
from ei.ways.ends import End, TcpEnd, connect_tcp
from ei.ways.socks import CONNECT, NO_AUTHENTICATION, VERSION, Reply, write_place

GREETING = bytes((VERSION, 1, NO_AUTHENTICATION))
WORDS: dict[int, tuple[str, str]] = {
    Reply.NOT_ALLOWED: ("not_allowed", "is not allowed"),
    Reply.NETWORK_UNREACHABLE: ("unreachable", "cannot be reached"),
    Reply.HOST_UNREACHABLE: ("unreachable", "cannot be reached"),
    Reply.REFUSED: ("refused", "refuses connections"),
    Reply.EXPIRED: ("deadline", "does not answer"),
}
"""Kinds of errors, and sentences."""
LENGTHS = {1: 4, 4: 16}
"""Of the address in a reply, by its kind."""


class SocksDialler:
    """Opens connections by the proxy at an endpoint."""

    def __init__(self, proxy: Endpoint) -> None:
        self._proxy = proxy

    async def dial(self, name: str, port: int, *, deadline_s: float = DIAL_S) -> End:
        """Open a connection; what the proxy says is the error's sentence."""
        address, proxy_port = self._proxy
        async with within(deadline_s, f"answer about {name} port {port}"):
            end = await connect_tcp(str(address), proxy_port, deadline_s=deadline_s)
            try:
                await self._ask(end, name, port)
            except BaseException:
                end.abort()
                raise
        return end

    async def _ask(self, end: TcpEnd, name: str, port: int) -> None:
        await end.write(GREETING)
        if await _exactly(end, 2) != bytes((VERSION, NO_AUTHENTICATION)):
            raise StreamError("the proxy wants to know who asks", kind="not_allowed")
        await end.write(bytes((VERSION, CONNECT, 0)) + write_place(name, port))
        _, reply, _, kind = await _exactly(end, 4)
        if reply != Reply.SUCCEEDED:
            word, text = WORDS.get(reply, ("lost", "is not reached by the proxy"))
            raise StreamError(f"{name} port {port} {text}", kind=word)
        _ = await _exactly(end, LENGTHS.get(kind, 0) + 2)


async def _exactly(end: TcpEnd, count: int) -> bytes:
    whole = b""
    while len(whole) < count:
        piece = await end.read(count - len(whole))
        if not piece:
            raise StreamError("the proxy hung up", kind="lost")
        whole += piece
    return whole
