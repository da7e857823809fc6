"""The stub: names of the Extensible Internet by the host's directory, all others by an upstream.

Messages in, messages out; sockets are in `dns_server.py` and `dns_upstream.py`. Whatever a message
is, it gets its answer or is counted, and a question on its way holds a bounded place.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from dns.edns import EDECode
from dns.rcode import Rcode

from ei.errors import EiError
from ei.sdk.packets import Address
from ei.ways.dns_messages import Question, Refused, Said, read_question, write_answer
from ei.ways.dns_zone import Looked, is_ours, say, sought
from ei.ways.turns import Turns

MOST_QUESTIONS = 512
"""On their way at once."""

Look = Callable[[str | Address], Awaitable[Looked]]
"""Says who has a full name or an address."""

Client = tuple[str, int]
"""Address and port."""


class Forward(Protocol):
    """Asks the upstream, byte for byte."""

    async def __call__(self, question: Question, *, is_udp: bool) -> bytes:
        """Return its answer.

        Raises:
            EiError: there is none: why.
        """
        ...


class Invent(Protocol):
    """Says something of a legacy name in the upstream's place."""

    def __call__(self, question: Question) -> Said | None:
        """Return what is said; `None` asks the upstream."""
        ...


class _Forwarded(msgspec.Struct, frozen=True):
    client: Client
    answer: asyncio.Future[bytes | Said]


class Stub:
    """Answers DNS messages.

    Args:
        forward: Asks about all names but ours.
        invent: Is asked before `forward`.
        limit: Questions on their way at once.
    """

    def __init__(
        self,
        look: Look,
        forward: Forward,
        *,
        invent: Invent | None = None,
        limit: int = MOST_QUESTIONS,
    ) -> None:
        self._look = look
        self._forward = forward
        self._invent = invent
        self._turns = Turns(limit)
        self._forwarded: dict[bytes, _Forwarded] = {}
        self.counted = Counter[str]()

    def __repr__(self) -> str:
        return f"<Stub {self._turns!r} {dict(self.counted)}>"

    async def answer(self, wire: bytes, *, client: Client, is_udp: bool) -> bytes:
        """Return what is answered to a message; empty for nothing."""
        question = read_question(wire)
        if isinstance(question, Refused):
            self.counted[question.word] += 1
            return question.reply
        source = client[0]
        if self._turns.take(source):
            try:
                said = await self._answer(question, client, is_udp=is_udp)
            finally:
                self._turns.give_back(source)
        else:
            self.counted["too_many"] += 1
            said = _failure("too many questions are on their way", EDECode.RATE_LIMITED)
        return said if isinstance(said, bytes) else write_answer(question, said, is_udp=is_udp)

    async def _answer(self, question: Question, client: Client, *, is_udp: bool) -> bytes | Said:
        if is_ours(question):
            self.counted["own"] += 1
            return await self._say(question)
        if self._invent is not None and (invented := self._invent(question)) is not None:
            self.counted["invented"] += 1
            return invented
        return await self._pass_on(question, client, is_udp=is_udp)

    async def _say(self, question: Question) -> Said:
        wanted = sought(question)
        return wanted if isinstance(wanted, Said) else say(question, await self._look(wanted))

    async def _pass_on(self, question: Question, client: Client, *, is_udp: bool) -> bytes | Said:
        wire = question.wire
        first = self._forwarded.get(wire)
        if first is not None and first.client == client:
            self.counted["repeated"] += 1
            return b""  # the answer is on its way
        if first is not None and first.client[0] == client[0]:
            self.counted["repeated"] += 1  # by another socket, as dig does
            return await asyncio.shield(first.answer)
        if first is not None:
            # Numbers of questions are random: the very same one from somewhere else is our own.
            self.counted["loop"] += 1
            return _failure("the upstream asks its questions here: a loop", EDECode.OTHER)
        self.counted["forwarded"] += 1
        answer: asyncio.Future[bytes | Said] = asyncio.get_running_loop().create_future()
        self._forwarded[wire] = _Forwarded(client, answer)
        try:
            answer.set_result(await self._forward(question, is_udp=is_udp))
        except EiError as error:
            self.counted["unanswered"] += 1
            answer.set_result(_failure(str(error), EDECode.NETWORK_ERROR))
        finally:
            del self._forwarded[wire]
            _ = answer.cancel()  # it has its result, unless this was cancelled
        return answer.result()


def _failure(why: str, code: EDECode) -> Said:
    return Said(Rcode.SERVFAIL, code=code, text=why, is_own=False)
