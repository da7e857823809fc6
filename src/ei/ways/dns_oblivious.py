"""The upstream that nobody sees whole: the stub's questions by two nodes of different operators.

Nothing here asks anybody in the clear: what cannot be asked so stays without an answer, and the
asker is told why.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import SystemRandom

import dns.flags

from ei.errors import IntegrityError
from ei.host.client import Host
from ei.sdk.packets import Address
from ei.services.odns.client import ObliviousResolver, resolving
from ei.services.odns.client_targets import check_target, choose_target
from ei.ways.dns_messages import HEADER, MIN_UDP_BYTES, Question, is_answer_to

_OPT = b"\0\0\x29"


class Oblivious:
    """Asks as `Upstream` does, by odns."""

    def __init__(self, resolver: ObliviousResolver) -> None:
        self._resolver = resolver

    async def __call__(self, question: Question, *, is_udp: bool) -> bytes:
        """Return the answer.

        Raises:
            EiError: there is none: why.
        """
        told = await self._resolver.ask(question.wire, is_long=not is_udp)
        answer = question.wire[:2] + told[2:]
        if not is_answer_to(question, answer):
            raise IntegrityError(f"{self._resolver.target_name} answers something else")
        if is_udp and len(answer) > taken_bytes(question.wire):
            return cut(question, answer)
        return answer


@asynccontextmanager
async def asking_obliviously(
    host: Host, target: str | None, *, unix_s: Callable[[], float]
) -> AsyncGenerator[Oblivious]:
    """Ask for a host while the context lasts.

    Args:
        host: Attached, or attaching.
        target: Name of a node; by default any of another operator than the host's nodes.
        unix_s: Wall clock, in seconds.

    Raises:
        DeniedError: the target, or each there is, has the operator of one of the host's nodes.
        NotFoundError: there is none, or nobody says who runs it.
    """
    choose = choice_of(host, target)
    _ = choose(frozenset())
    async with resolving(host, choose=choose, unix_s=unix_s) as resolver:
        yield Oblivious(resolver)


def choice_of(host: Host, target: str | None) -> Callable[[frozenset[Address]], Address]:
    """Return what names the node that is asked.

    Raises:
        EiError: when it is called: there is none, or none that may be: why.
    """
    if target is None:
        return lambda failed: choose_target(host.records, host.nodes, failed, SystemRandom())
    return lambda _: check_target(host.records.find(target), host.records, host.nodes)


def taken_bytes(wire: bytes) -> int:
    """Return how long an answer over UDP the asker takes."""
    if not wire[11:12] > b"\0":
        return MIN_UDP_BYTES
    at = wire.rfind(_OPT) + len(_OPT)
    size = int.from_bytes(wire[at : at + 2], "big") if at >= len(_OPT) else 0
    return max(MIN_UDP_BYTES, size)


def cut(question: Question, answer: bytes) -> bytes:
    """Return an answer that says that it is too long: the asker comes again by TCP."""
    number, flags, *_ = HEADER.unpack_from(answer)
    head = HEADER.pack(number, flags | int(dns.flags.TC), 1, 0, 0, 0)
    return head + question.section
