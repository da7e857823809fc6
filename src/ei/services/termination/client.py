r"""Termination on a host: a stream to a legacy server, by way of the host's node.

stream = await open_legacy(host, "www.example.org", 80)
await stream.write(b"GET / HTTP/1.0\r\n\r\n")
page = await stream.read_all()
"""

from contextlib import suppress
from typing import Literal

from ei.errors import (
    DeadlineError,
    DeniedError,
    EiError,
    LocalError,
    PeerError,
    StreamError,
    UnreachableError,
)
from ei.host.client import Host
from ei.host.deadlines import DEFAULT_S, within
from ei.host.streams import Stream
from ei.sdk import Address, Legacy
from ei.services.termination.messages import (
    LENGTH_BYTES,
    MAX_STATUS_BYTES,
    Opening,
    Status,
    read_status,
    write_opening,
)

TERMINATION = 32
MAX_NAME = 253
MAX_PORT = 65_535


async def open_legacy(  # noqa: PLR0913 all that a target may be
    host: Host,
    name: str,
    port: int,
    *,
    transport: Literal["tcp", "udp"] = "tcp",
    exit: Address | None = None,  # noqa: A002 the word of the messages
    first: bytes = b"",
    deadline_s: float = DEFAULT_S,
) -> Stream:
    """Open a stream to a server of the legacy Internet.

    With `udp` each datagram is `length u16 little-endian | datagram` on the stream, both ways.

    Args:
        host: Attached.
        name: Of the server, or its address as text; the node that goes on to it resolves it.
        port: 1 to 65_535.
        transport: That the server speaks.
        exit: The node that goes on to it; by default the first node chooses.
        first: Bytes for the server that do not wait for its answer: they save a round trip.
        deadline_s: Until the server has answered.

    Raises:
        DeniedError: The operator of the node that goes on to it does not allow it.
        UnreachableError: It cannot be reached, or has no address.
        StreamError: It refuses, or something between broke; `kind` is the word of the status.
        DeadlineError: It does not answer in time.
        NotFoundError: No node of the host offers termination.
        LocalError: Name or port is none.
    """
    check_port(port)
    opening = Opening(Legacy(written(name), port, transport), exit=exit)
    async with within(deadline_s, f"connection to {name} port {port}"):
        stream, _ = await begin(host, opening, first, deadline_s=deadline_s)
    return stream


async def begin(
    host: Host, opening: Opening, first: bytes = b"", *, deadline_s: float
) -> tuple[Stream, Status]:
    """Open a stream to termination, and return it with the status that says that it is open.

    Raises:
        EiError: As `open_legacy`; also what the status is, when that is not open.
    """
    stream = await host.open_service_stream(
        TERMINATION, opening=write_opening(opening), deadline_s=deadline_s
    )
    try:
        await stream.write(first, deadline_s=deadline_s)
        status = await receive_status(stream, deadline_s=deadline_s)
        _expect_open(status)
    except BaseException:
        stream.abort()
        raise
    return stream, status


def check_port(port: int) -> None:
    """Make sure that a server can have the port.

    Raises:
        LocalError: It cannot.
    """
    if not 1 <= port <= MAX_PORT:
        raise LocalError(f"port {port} seen, 1 to {MAX_PORT} allowed")


def written(name: str) -> str:
    """Return the name of a server as the DNS writes it.

    Raises:
        LocalError: It is none.
    """
    with suppress(UnicodeError):
        ascii_name = name if name.isascii() else name.encode("idna").decode()
        if 1 <= len(ascii_name) <= MAX_NAME and ascii_name.isprintable() and " " not in ascii_name:
            return ascii_name
    raise LocalError(f"{name!r:.300} is not the name of a server: 1 to {MAX_NAME} letters")


def _expect_open(status: Status) -> None:
    if status.word:
        raise error_of(status)


async def receive_status(stream: Stream, *, deadline_s: float = DEFAULT_S) -> Status:
    """Receive what became of an opening: what the node says first.

    Raises:
        PeerError: It says something else, or nothing.
        DeadlineError: It says nothing in time.
    """
    head = await stream.read_exactly(LENGTH_BYTES, deadline_s=deadline_s)
    length = int.from_bytes(head, "little")
    body = b""
    if length <= MAX_STATUS_BYTES:
        body = await stream.read_exactly(length, deadline_s=deadline_s)
    try:
        found = read_status(head + body)
    except ValueError as error:
        raise PeerError(str(error)) from error
    assert found is not None, "a status that is as long as it says"  # noqa: S101
    return found[0]


def error_of(status: Status) -> EiError:
    """Return the error that a status is."""
    match status.word:
        case "not_allowed":
            remedy = "ei node status NAME, at that node, shows the line that would allow it."
            return DeniedError(status.detail, remedy=remedy)
        case "unreachable":
            return UnreachableError(status.detail)
        case "deadline":
            return DeadlineError(status.detail)
        case word:
            return StreamError(status.detail, kind=word)
