"""How names are looked up for the DNS: by a host of this process, or by a host daemon that runs."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from ei.daemons.client import ask
from ei.errors import EiError, NotFoundError
from ei.host.client import Host
from ei.host.verbs_find import Found, find_who
from ei.records.addresses import format_address, parse_address
from ei.sdk.packets import Address
from ei.ways.dns_stub import Look
from ei.ways.dns_zone import Known, Looked, Unknown

DEADLINE_S = 3.0
"""The C library waits for 5 s before it asks again."""


def look_by_host(host: Host, *, unix_s: Callable[[], float]) -> Look:
    """Look names up as `host`, open and attached by somebody else."""

    async def look(wanted: str | Address) -> Looked:
        try:
            return _known(
                await find_who(host, _text(wanted), deadline_s=DEADLINE_S, unix_s=unix_s())
            )
        except EiError as error:
            return _unknown(error)

    return look


def look_by_daemon(admin: Path) -> Look:
    """Look names up at the host daemon of an admin socket."""

    async def look(wanted: str | Address) -> Looked:
        arguments = {"to": _text(wanted), "deadline_s": DEADLINE_S}
        try:
            answer = await asyncio.to_thread(
                ask, admin, "find", arguments, deadline_s=DEADLINE_S + 1
            )
            return _known(msgspec.convert(answer, Found))
        except EiError as error:
            return _unknown(error)

    return look


def _text(wanted: str | Address) -> str:
    return wanted if isinstance(wanted, str) else format_address(wanted)


def _known(found: Found) -> Looked:
    if not found.address:
        return Unknown(f"{found.name} is a domain", is_domain=True)
    return Known(found.name, parse_address(found.address), found.lifetime_s)


def _unknown(error: EiError) -> Unknown:
    return Unknown(str(error), is_certain=isinstance(error, NotFoundError))
