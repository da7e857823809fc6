"""Oblivious DNS on a host: a question goes by its node to a target of another operator.

async with resolving(host, choose=choose, unix_s=time.time) as resolver:
    answer = await resolver.ask(question)
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

from ei.errors import (
    DeadlineError,
    DeniedError,
    EiError,
    IntegrityError,
    LimitError,
    LocalError,
    PeerError,
    StreamError,
    UnreachableError,
)
from ei.host.client import Host
from ei.sdk import Address
from ei.services.odns.client_carrier import Carrier, carrying
from ei.services.odns.client_keys import RefusedError, TargetKeys
from ei.services.odns.client_questions import anonymous
from ei.services.odns.messages import query_plaintext_bytes, read_refusal
from ei.services.odns.odoh import open_answer, seal_query

TRIES_S = (0.8, 1.4, 2.0)
"""How long each try waits for its answer."""

KEYS_S = 1.0
PAUSE_S = 0.1
"""Between a refusal that may pass and the next try."""

AGAIN = {"unknown_key", "too_long"}
"""Refused, but not if it is asked otherwise: with new keys, or by a stream."""

PASSING = {"no_way", "resolver_lost", "too_many", "too_many_of_source"}
SENTENCES = {
    "same_operator": "{proxy} and {target} have the same operator",
    "unknown_operator": "nobody says who runs {target}, or {proxy}",
    "no_target": "{target} is no node that offers odns",
    "no_proxy": "{target} is the node of this host itself: nothing would be between",
    "no_way": "{proxy} knows no way to {target}",
    "no_resolver": "{target} asks no resolver for others",
    "resolver_lost": "{target} does not reach its resolver",
    "too_many": "{target} or {proxy} has as many questions as it takes",
    "too_many_of_source": "{proxy} takes no more questions of this host now",
    "bad_question": "{target} takes only plain questions",
    "not_opened": "the question was changed on its way to {target}",
}

Choose = Callable[[frozenset[Address]], Address]
"""Names a target that is none of those given, which have failed lately.

Raises:
    EiError: There is none: why.
"""


class ObliviousResolver:
    """Asks; made by `resolving`.

    Args:
        carrier: Brings questions to targets.
        choose: Names the target.
        unix_s: Wall clock, in seconds.
        group: Of the tasks that ask for keys.
    """

    def __init__(
        self,
        carrier: Carrier,
        *,
        choose: Choose,
        unix_s: Callable[[], float],
        group: asyncio.TaskGroup,
    ) -> None:
        self._carrier = carrier
        self._choose = choose
        self._target: Address | None = None
        self._failed: frozenset[Address] = frozenset()
        self._keys = TargetKeys(self._ask_keys, unix_s=unix_s, group=group)

    def __repr__(self) -> str:
        return f"<ObliviousResolver {self.target_name or 'of no target yet'}>"

    @property
    def target_name(self) -> str:
        """Of the node that is asked; empty before the first question."""
        return "" if self._target is None else self._carrier.name_of(self._target)

    async def ask(self, question: bytes, *, is_long: bool = False) -> bytes:
        """Return the answer to a DNS message, with the number 0; or fail within 5 s.

        Args:
            question: As a program asks it; what tells who asks stays here.
            is_long: The answer may be longer than a packet: it is asked for over TCP.

        Raises:
            LocalError: It is no question that can go by others.
            DeniedError: No target has another operator than this host's nodes; or it is refused.
            IntegrityError: What came back was changed, or is no answer to it.
            UnreachableError: Node, target or resolver are not reached.
            DeadlineError: Nobody answered in time.
        """
        try:
            dns = anonymous(question)
        except ValueError as error:
            raise LocalError(str(error)) from error
        trouble: EiError = DeadlineError("no try was made")
        for wait_s in TRIES_S:
            target = self._chosen()
            try:
                return await self._once(target, dns, is_long=is_long, wait_s=wait_s)
            except RefusedError as refused:
                trouble = self._error_of(refused.word, target)
                is_long = is_long or refused.word == "too_long"
                await self._think_over(refused.word, target, trouble)
            except (DeadlineError, LimitError, StreamError) as error:
                trouble = error
                self._drop(target)
        raise trouble

    async def _once(self, target: Address, dns: bytes, *, is_long: bool, wait_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + wait_s
        key = await self._keys.of(target)
        message, asked = seal_query(
            key.config,
            dns,
            plaintext_bytes=query_plaintext_bytes(len(dns)),
            seed=secrets.token_bytes(32),
        )
        exchange = self._carrier.exchange_long if is_long else self._carrier.exchange
        payload = await exchange(target, message, wait_s=ends_s - loop.time())
        word = read_refusal(payload)
        if word is not None:
            if word == "unknown_key":
                self._keys.forget(target, key)
            raise RefusedError(word)
        try:
            return open_answer(asked, payload)
        except ValueError as error:
            raise IntegrityError(
                f"what came back by {self._carrier.proxy_name} is not what the target sealed:"
                f" {error}"
            ) from error

    async def _ask_keys(self, target: Address, payload: bytes) -> bytes:
        return await self._carrier.exchange(target, payload, wait_s=KEYS_S)

    # -- which target -----------------------------------------------------------------------------

    async def _think_over(self, word: str, target: Address, trouble: EiError) -> None:
        """Return when another try makes sense; else raise why there is no answer."""
        if word in AGAIN:
            return
        self._drop(target)
        if word in PASSING:
            await asyncio.sleep(PAUSE_S)
        elif not self._has_other(target):
            raise trouble

    def _chosen(self) -> Address:
        if self._target is None:
            try:
                self._target = self._choose(self._failed)
            except EiError:
                if not self._failed:
                    raise
                self._failed = frozenset()
                self._target = self._choose(self._failed)
        return self._target

    def _drop(self, target: Address) -> None:
        """Take another one next time, if there is another."""
        if self._target == target:
            self._target = None
            self._failed |= {target}

    def _has_other(self, target: Address) -> bool:
        with suppress(EiError):
            return self._choose(self._failed) != target
        return False

    def _error_of(self, word: str, target: Address) -> EiError:
        sentence = SENTENCES.get(word, "{target} refuses: " + word)
        names = {"proxy": self._carrier.proxy_name, "target": self._carrier.name_of(target)}
        text = sentence.format(**names)
        if word in PASSING:
            return UnreachableError(text)
        return PeerError(text) if word in {"not_opened", "bad_question"} else DeniedError(text)


@asynccontextmanager
async def resolving(
    host: Host, *, choose: Choose, unix_s: Callable[[], float]
) -> AsyncGenerator[ObliviousResolver]:
    """Ask for a host, attached or attaching, while the context lasts.

    Args:
        choose: Names the target.
        unix_s: Wall clock, in seconds.
    """
    async with carrying(host) as carrier, asyncio.TaskGroup() as group:
        yield ObliviousResolver(carrier, choose=choose, unix_s=unix_s, group=group)
