"""Admin verb `explain`: what the nodes on the way say of a packet."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from msgspec import Meta

from ei.attachment.statements import Part, Statement
from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import arguments_of, to_answer
from ei.host.client import Host
from ei.host.verdicts import is_whole, place_of


class Explain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `explain`: the newest traced packet of a connection is meant."""

    service: int
    connection: int
    deadline_s: Annotated[float, Meta(gt=0, le=60)] = 2.0


class ModulePart(msgspec.Struct, frozen=True):
    """A service that had a say, such as `delivery@0.1.0`, and who asked for it."""

    module: str
    asked_by: str


class HopSaid(msgspec.Struct, frozen=True):
    """What one node states, proven to be its own; see `ei.attachment.statements`.

    Attributes:
        to: Name of the peer or, where only that is revealed, of its domain.
    """

    node: str
    fate: str
    reason: str
    to: str
    how: str
    spent_us: int
    parts: tuple[ModulePart, ...]


class Explained(msgspec.Struct, frozen=True):
    """All that is known.

    Attributes:
        node: Who was asked first.
        is_whole: Nobody is left who could say more.
        refused: Statements that are not believed: why.
    """

    node: str
    hops: tuple[HopSaid, ...]
    is_whole: bool
    refused: tuple[str, ...]


class ExplainVerbs:
    """Verbs of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def explain(self, request: Request) -> AsyncIterator[Answer]:
        """Ask the nodes about a packet that this host has sent."""
        wanted = arguments_of(request, Explain)
        account = await self._host.explain(
            wanted.service, wanted.connection, deadline_s=wanted.deadline_s
        )
        records = self._host.records
        explained = Explained(
            node=records.name_of(account.node),
            hops=tuple(map(self._hop, account.statements)),
            is_whole=is_whole(account, records),
            refused=account.refused,
        )
        yield to_answer(explained, schema="ei.explained/1")

    def _hop(self, said: Statement) -> HopSaid:
        return HopSaid(
            node=self._host.records.name_of(said.node),
            fate=said.fate,
            reason=said.reason,
            to=place_of(said.to, self._host.records) if said.to else "",
            how=said.how,
            spent_us=said.spent_us,
            parts=tuple(map(_part, said.parts)),
        )


def _part(part: Part) -> ModulePart:
    return ModulePart(part.module, part.asked_by)
