"""Asks other DNS servers, byte for byte: UDP by UDP, TCP by TCP, each question on its own socket.

So answers are cut or not by what the asker said it takes, and the port that an answer must come to
is as random as the kernel makes it.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from ei.errors import ConfigError, LocalError, UnreachableError
from ei.records.endpoints import Endpoint, parse_endpoint
from ei.ways.dns_messages import Question, is_answer_to

DNS_PORT = 53
TRY_S = 2.0
MOST_TRIES = 3
RESOLV_CONF = Path("/etc/resolv.conf")
MOST_SERVERS = 3
"""As many as the C library takes."""


class Upstream:
    """Servers to be asked, the first one first.

    Args:
        endpoints: None means that all names but ours stay without an answer.
        try_s: Longest wait for one of them.
    """

    def __init__(self, endpoints: Sequence[Endpoint], *, try_s: float = TRY_S) -> None:
        self.endpoints = tuple(endpoints)
        self._try_s = try_s

    async def __call__(self, question: Question, *, is_udp: bool) -> bytes:
        """Return what the first server that answers says.

        Raises:
            UnreachableError: none does.
        """
        if not self.endpoints:
            raise UnreachableError(f"no other server is known: none is in {RESOLV_CONF}")
        ask = _ask_udp if is_udp else _ask_tcp
        troubles: list[str] = []
        for index in range(max(MOST_TRIES - 1, len(self.endpoints))):
            endpoint = self.endpoints[index % len(self.endpoints)]
            try:
                async with asyncio.timeout(self._try_s):
                    return await ask(endpoint, question)
            except TimeoutError:
                troubles.append(f"{endpoint_text(endpoint)} does not answer")
            except OSError as error:
                troubles.append(f"{endpoint_text(endpoint)}: {error.strerror or error}")
            except asyncio.IncompleteReadError:
                troubles.append(f"{endpoint_text(endpoint)} hung up")
            except UnreachableError as error:
                troubles.append(str(error))
        raise UnreachableError("; ".join(dict.fromkeys(troubles)))


def parse_server(text: str) -> Endpoint:
    """Return the endpoint that `ADDRESS` or `ADDRESS:PORT` writes.

    Raises:
        LocalError: it does neither.
    """
    with suppress(ValueError):
        return (IPv6Address(text) if ":" in text else IPv4Address(text)), DNS_PORT
    try:
        return parse_endpoint(text)
    except LocalError as error:
        raise LocalError(
            f"{text!r} is no server: want ADDRESS or ADDRESS:PORT, such as 192.0.2.53 or [::1]:5353"
        ) from error


def system_servers(path: Path = RESOLV_CONF) -> list[Endpoint]:
    """Return the servers that the system asks; none where it has none."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    found: list[Endpoint] = []
    for words in map(str.split, lines):
        if words[:1] == ["nameserver"] and len(words) > 1:
            with suppress(LocalError):
                found.append(parse_server(words[1].partition("%")[0]))
    return found[:MOST_SERVERS]


def check_no_loop(listen: Endpoint, servers: Sequence[Endpoint]) -> None:
    """See that no upstream is the stub itself.

    Raises:
        ConfigError: one is.
    """
    for server in servers:
        if server[1] == listen[1] and (
            server[0] == listen[0] or (listen[0].is_unspecified and _is_own(server[0]))
        ):
            raise ConfigError(
                f"the upstream {endpoint_text(server)} is this stub itself",
                remedy="Name another: ei dns --upstream 192.0.2.53, or listen elsewhere.",
            )


def endpoint_text(endpoint: Endpoint) -> str:
    """Return an endpoint as people write it."""
    address, port = endpoint
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"


def _is_own(address: IPv4Address | IPv6Address) -> bool:
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


class _Waiting(asyncio.DatagramProtocol):
    """Waits for the answer to one question."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if is_answer_to(self._question, data) and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _ask_udp(endpoint: Endpoint, question: Question) -> bytes:
    transport, waiting = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Waiting(question), remote_addr=(str(endpoint[0]), endpoint[1])
    )
    try:
        transport.sendto(question.wire)
        return await waiting.answer
    finally:
        transport.close()


async def _ask_tcp(endpoint: Endpoint, question: Question) -> bytes:
    wire = question.wire
    reader, writer = await asyncio.open_connection(str(endpoint[0]), endpoint[1])
    try:
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        if not is_answer_to(question, answer):
            raise UnreachableError(f"{endpoint_text(endpoint)} answers something else")
        return answer
    finally:
        writer.transport.abort()
