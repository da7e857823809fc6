"""Where a program's connection goes: to a host by its name, or on from the node to the rest.

files.campus.ei, files.campus, fd35:…    a stream to that port of the host, sealed end to end
everything else                          the service of termination at the host's node
http:// of everything else               its cache, where the node has one
"""

from collections.abc import Collection
from typing import Protocol

from ei.errors import DeniedError, NotFoundError
from ei.host.client import Host
from ei.sdk.packets import Address
from ei.services.caching.client import open_proxy
from ei.services.termination.client import open_legacy
from ei.ways.ends import End, StreamEnd, given_up_on_error
from ei.ways.names import to_address, to_name
from ei.ways.resuming import open_resumable

DIAL_S = 10.0


class Dialler(Protocol):
    """Opens connections for programs."""

    async def dial(self, name: str, port: int, *, deadline_s: float = DIAL_S) -> End:
        """Open a connection.

        Args:
            name: `files.campus.ei`, an address of ours as text, or a name or address of others.

        Raises:
            EiError: there is none: why.
        """
        ...


async def dial_settled(dialler: Dialler, name: str, port: int) -> End:
    """Open a connection of which a program is to be told, once the other end could refuse it.

    Raises:
        EiError: there is none: why.
    """
    end = await dialler.dial(name, port)
    with given_up_on_error(end):
        await end.settle()
    return end


def ours(text: str, domains: Collection[str]) -> str | Address | None:
    """Return the full name or the address of the host that a program means.

    A name without `.ei` is one of ours, too, when a known domain is what it ends with.

    Args:
        domains: That are known.

    Returns:
        `None` for what belongs to the legacy Internet.
    """
    if (address := to_address(text.strip("[]"))) is not None:
        return address
    if (name := to_name(text)) is not None:
        return name
    plain = text.rstrip(".").lower()
    return plain if plain.partition(".")[2] in domains else None


def not_private(name: str) -> DeniedError:
    """Return the error of a host that is not reached because it would see who asks."""
    return DeniedError(
        f"{name} is a host of the Extensible Internet, which would see who asks, as would the"
        " nodes between: that is not private",
        remedy="Reach it by an ei proxy or ei run without --private.",
    )


class HostDialler:
    """Opens connections as a host.

    Args:
        exit: The node that goes on to servers; by default each first node's choice.
    """

    def __init__(self, host: Host, *, exit: Address | None = None) -> None:  # noqa: A002
        self._host = host
        self._exit = exit

    async def dial_cache(self, name: str) -> End | None:
        """Open a stream to the cache of the node, as to a proxy; `None` for what it is not for.

        Args:
            name: Of the server that is wanted.
        """
        if ours(name, self._host.records.domains) is not None:
            return None
        try:
            return StreamEnd(await open_proxy(self._host))
        except NotFoundError:
            return None  # the node has none

    async def dial(self, name: str, port: int, *, deadline_s: float = DIAL_S) -> End:
        """Open a stream to a host, or by way of the node."""
        to = ours(name, self._host.records.domains)
        if to is not None:
            return StreamEnd(await self._host.open_stream(to, port, deadline_s=deadline_s))
        try:
            stream = await open_resumable(
                self._host, name.strip("[]"), port, exit=self._exit, deadline_s=deadline_s
            )
        except NotFoundError as error:
            raise NotFoundError(
                f"{name} is no name of the Extensible Internet, and the node in use offers no"
                " termination, which would go on to others",
                remedy="Let this program reach it without the proxy, or ask the node's operator.",
            ) from error
        return StreamEnd(stream, is_settled=True)

    async def dial_datagrams(self, host: str, port: int) -> StreamEnd:
        """Open a stream of datagrams to a server; see `ei.ways.legacy_datagrams`."""
        return StreamEnd(await open_legacy(self._host, host, port, transport="udp"))
