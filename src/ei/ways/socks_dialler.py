"""Opens connections and associations by a proxy that speaks SOCKS 5, such as `ei proxy`."""

from ipaddress import ip_address

from ei.errors import StreamError
from ei.host.deadlines import within
from ei.records.endpoints import Endpoint
from ei.ways.dialing import DIAL_S
from ei.ways.ends import End, TcpEnd, connect_tcp, given_up_on_error
from ei.ways.socks import CONNECT, NO_AUTHENTICATION, UDP_ASSOCIATE, VERSION, Reply, write_place

ANYWHERE = "0.0.0.0"  # noqa: S104 RFC 1928, 7: a program that does not say where it sends from
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
        reply, _, _ = await _asked(end, CONNECT, name, port)
        if reply != Reply.SUCCEEDED:
            word, text = WORDS.get(reply, ("lost", "is not reached by the proxy"))
            raise StreamError(f"{name} port {port} {text}", kind=word)


async def associate(proxy: Endpoint) -> tuple[TcpEnd, tuple[str, int]]:
    """Ask a proxy to carry datagrams; return (what keeps it at that, where it takes them).

    Raises:
        StreamError: it does not.
    """
    address, proxy_port = proxy
    end = await connect_tcp(str(address), proxy_port, deadline_s=DIAL_S)
    with given_up_on_error(end):
        reply, packed, port = await _asked(end, UDP_ASSOCIATE, ANYWHERE, 0)
        if reply != Reply.SUCCEEDED or len(packed) not in LENGTHS.values():
            raise StreamError("the proxy carries no datagrams", kind="not_allowed")
    return end, (str(ip_address(packed)), port)


async def _asked(end: TcpEnd, command: int, name: str, port: int) -> tuple[int, bytes, int]:
    """Ask for something; return (reply, address, port)."""
    await end.write(GREETING)
    if await _exactly(end, 2) != bytes((VERSION, NO_AUTHENTICATION)):
        raise StreamError("the proxy wants to know who asks", kind="not_allowed")
    await end.write(bytes((VERSION, command, 0)) + write_place(name, port))
    _, reply, _, kind = await _exactly(end, 4)
    if reply != Reply.SUCCEEDED:
        return reply, b"", 0
    packed = await _exactly(end, LENGTHS.get(kind, 0))
    return reply, packed, int.from_bytes(await _exactly(end, 2), "big")


async def _exactly(end: TcpEnd, count: int) -> bytes:
    whole = b""
    while len(whole) < count:
        piece = await end.read(count - len(whole))
        if not piece:
            raise StreamError("the proxy hung up", kind="lost")
        whole += piece
    return whole
