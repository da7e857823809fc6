"""Admin verb `find`: who has a name or an address, for programs that ask by other means."""

from collections.abc import AsyncIterator, Callable

import msgspec

from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import arguments_of, to_answer
from ei.host.client import Host
from ei.records.addresses import format_address


class Find(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `find`. `to` is a full name, an address as text or the name of a domain."""

    to: str
    deadline_s: float = 3.0


class Found(msgspec.Struct, frozen=True):
    """Who it is: host, node or group; a domain has no address.

    Attributes:
        name: The preferred one.
        lifetime_s: How long its record still counts.
    """

    name: str
    address: str
    lifetime_s: float


class FindVerbs:
    """Verbs of one host."""

    def __init__(self, host: Host, unix_s: Callable[[], float]) -> None:
        self._host = host
        self._unix_s = unix_s

    async def find(self, request: Request) -> AsyncIterator[Answer]:
        """Say who it is; ends as `find_who` raises."""
        wanted = arguments_of(request, Find)
        found = await find_who(
            self._host, wanted.to, deadline_s=wanted.deadline_s, unix_s=self._unix_s()
        )
        yield to_answer(found, schema="ei.found/1")


async def find_who(host: Host, to: str, *, deadline_s: float, unix_s: float) -> Found:
    """Return who has a name or an address.

    Raises:
        EiError: as `Host.lookup`.
    """
    domain = host.records.domains.get(to)
    if domain is not None:
        return Found(domain.name, "", max(0.0, domain.expires_unix_s - unix_s))
    address = await host.lookup(to, deadline_s=deadline_s)
    records = host.records
    # It was found, so one of them has it.
    record = records.enrolments.get(address) or records.nodes.get(address)
    expires_unix_s = (record or records.groups[address]).expires_unix_s
    return Found(
        records.name_of(address), format_address(address), max(0.0, expires_unix_s - unix_s)
    )
