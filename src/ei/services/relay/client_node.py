"""What a host and its node say to each other of the relay: keys, tokens, and ends of circuits."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

import msgspec

from ei.errors import DeadlineError, EiError, LimitError
from ei.host.channels import ControlChannel
from ei.host.deadlines import within
from ei.sdk import Address
from ei.services.relay.client_purse import AT_ONCE, MARGIN_S, Purse, key_stated
from ei.services.relay.messages import AskKeys, Ended, IssuerKeys, Signed, Validity

ANSWER_S = 2.0
AGAIN_S = 0.5
"""After which a node is asked again, that may be making its first key."""

MessageT = TypeVar("MessageT", IssuerKeys, Signed)


class NodeTalk:
    """Asks one question after the other, and hears what ends.

    Args:
        controls: Of the relay, at the host's nodes.
        when_ended: Called with the node that says it.
        unix_s: The wall clock.
        random: Fit for keys.
    """

    def __init__(
        self,
        controls: ControlChannel,
        when_ended: Callable[[Address, Ended], None],
        *,
        unix_s: Callable[[], float],
        random: Random,
    ) -> None:
        self._controls = controls
        self._when_ended = when_ended
        self._unix_s = unix_s
        self._purse = Purse(random)
        self._keys: dict[Address, Validity] = {}
        self._asked: tuple[Address, type, asyncio.Future[Any]] | None = None
        self._number = 0

    async def hear(self) -> None:
        """Take what nodes say, until it is cancelled."""
        decoder = msgspec.msgpack.Decoder(IssuerKeys | Signed | Ended)
        while True:
            with suppress(DeadlineError, msgspec.MsgspecError):
                received = await self._controls.receive(deadline_s=3_600.0)
                message = decoder.decode(received.message)
                if isinstance(message, Ended):
                    self._when_ended(received.node, message)
                else:
                    self._take_answer(received.node, message)

    async def key_of(self, issuer: Address) -> bytes:
        """Return the key by which a node signs tokens now, as it states it to everybody.

        Raises:
            DeadlineError: It has not said, as when it does not run the relay.
            IntegrityError: It has not signed what it said.
            PeerError: It has no good key.
        """
        known = self._keys.get(issuer)
        if known is not None and known.end_unix_s > self._unix_s() + MARGIN_S:
            return known.key
        question = AskKeys(issuer)
        async with within(ANSWER_S, "word of the node in use by which key it signs tokens"):
            while True:
                with suppress(DeadlineError):
                    stated = await self._ask(IssuerKeys, question, issuer, deadline_s=AGAIN_S)
                    break
        self._keys[issuer] = key_stated(stated, issuer, self._unix_s())
        return self._keys[issuer].key

    async def token(self, issuer: Address, key: bytes, exit_node: Address) -> bytes:
        """Return a token that was never shown; others are in store then.

        Raises:
            DeadlineError: The node has not answered.
            LimitError: This host had as many as it may have in an hour.
            PeerError: It does not sign any, or no good ones.
        """
        if (token := self._purse.take(issuer, key, exit_node)) is not None:
            return token
        try:
            await self._draw(issuer, key, exit_node, count=AT_ONCE)
        except LimitError:
            await self._draw(issuer, key, exit_node, count=1)
        token = self._purse.take(issuer, key, exit_node)
        assert token is not None, "what was drawn is there"  # noqa: S101
        return token

    def forget(self, issuer: Address, key: bytes, exit_node: Address) -> None:
        """Forget key and tokens that are not taken any more."""
        _ = self._keys.pop(issuer, None)
        self._purse.forget(issuer, key, exit_node)

    def tell(self, ended: Ended, node: Address) -> None:
        """Tell a node that a circuit is not needed any more; if it is there."""
        with suppress(EiError):
            self._controls.send(msgspec.msgpack.encode(ended), node=node)

    async def _draw(self, issuer: Address, key: bytes, exit_node: Address, *, count: int) -> None:
        self._number += 1
        batch = self._purse.draw(issuer, key, exit_node, count=count)
        question = batch.question(self._number)
        self._purse.put(batch, await self._ask(Signed, question, issuer, deadline_s=ANSWER_S))

    async def _ask(
        self, kind: type[MessageT], question: msgspec.Struct, node: Address, *, deadline_s: float
    ) -> MessageT:
        answer: asyncio.Future[MessageT] = asyncio.get_running_loop().create_future()
        self._asked = (node, kind, answer)
        try:
            self._controls.send(msgspec.msgpack.encode(question), node=node)
            async with within(deadline_s, "answer of the node in use about tokens"):
                return await answer
        finally:
            self._asked = None

    def _take_answer(self, node: Address, message: IssuerKeys | Signed) -> None:
        if self._asked is None:
            return
        asked, kind, answer = self._asked
        is_it = node == asked and isinstance(message, kind) and not answer.done()
        if is_it and (isinstance(message, IssuerKeys) or message.number == self._number):
            answer.set_result(message)
