"""The keys of targets as a host has them: asked for once for all who want them, renewed in time."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from ei.errors import EiError, IntegrityError
from ei.sdk import Address
from ei.services.odns.messages import KEYS, keys_wanted, read_keys, read_refusal
from ei.services.odns.odoh import Configuration, read_configs

Exchange = Callable[[Address, bytes], Awaitable[bytes]]
"""Asks a target, and returns what came back."""


class RefusedError(EiError):
    """Proxy or target refuses; `word` says why."""

    def __init__(self, word: str) -> None:
        super().__init__(f"refused: {word}")
        self.word = word


class Key(msgspec.Struct, frozen=True):
    """What to seal questions to.

    Attributes:
        renew_unix_s: From then on another is asked for, while this one still counts.
    """

    config: Configuration
    renew_unix_s: float
    expires_unix_s: float


class TargetKeys:
    """Keys by target.

    Args:
        exchange: How a target is asked.
        unix_s: Wall clock, in seconds.
        group: Of the tasks that ask.
    """

    def __init__(
        self, exchange: Exchange, *, unix_s: Callable[[], float], group: asyncio.TaskGroup
    ) -> None:
        self._exchange = exchange
        self._unix_s = unix_s
        self._group = group
        self._keys: dict[Address, Key] = {}
        self._asking: dict[Address, asyncio.Future[Key]] = {}
        self._outdated: set[Address] = set()
        """Targets whose key the proxy may know as little as this host did."""

    async def of(self, target: Address) -> Key:
        """Return the key of a target, asking for it if none is here.

        Raises:
            IntegrityError: What came back is none that the target signed.
            RefusedError: There is none.
        """
        key, now_s = self._keys.get(target), self._unix_s()
        if key is None or now_s >= key.expires_unix_s:
            return await asyncio.shield(self._renew(target))
        if now_s >= key.renew_unix_s:
            _ = self._renew(target)
        return key

    def forget(self, target: Address, key: Key) -> None:
        """Forget a key that the target does not know any more."""
        if self._keys.get(target) is key:
            del self._keys[target]
            self._outdated.add(target)

    def _renew(self, target: Address) -> "asyncio.Future[Key]":
        asking = self._asking.get(target)
        if asking is None:
            asking = self._asking[target] = asyncio.get_running_loop().create_future()
            _ = self._group.create_task(self._ask(target, asking))
        return asking

    async def _ask(self, target: Address, asking: "asyncio.Future[Key]") -> None:
        try:
            wish = keys_wanted(is_anew=target in self._outdated)
            key = self._keys[target] = self._read(target, await self._exchange(target, wish))
            self._outdated.discard(target)
            asking.set_result(key)
        except EiError as error:
            asking.set_exception(error)
            _ = asking.exception()  # whoever waits has it; nobody may
        finally:
            del self._asking[target]
            _ = asking.cancel()  # it has its result, unless this was cancelled

    def _read(self, target: Address, payload: bytes) -> Key:
        word = read_refusal(payload)
        if word is not None:
            raise RefusedError(word)
        if payload[:1] != bytes((KEYS,)):
            raise IntegrityError("what came back are no keys of the target")
        try:
            told = read_keys(payload, node=target)
            configs = read_configs(told.configs)
        except ValueError as error:
            raise IntegrityError(f"what came back are no keys of the target: {error}") from error
        now_s = self._unix_s()
        if not configs or told.expires_unix_s <= now_s:
            raise IntegrityError("the target's keys are of another kind, or their time is over")
        return Key(configs[0], (now_s + told.expires_unix_s) / 2, told.expires_unix_s)
