"""Whom a program means: by what the host knows, or else by asking its node's directory."""

import asyncio
from collections import Counter
from collections.abc import Callable
from difflib import get_close_matches

from ei.directory.messages import Addressed, Named, Query
from ei.errors import DeadlineError, EiError, LimitError, NotFoundError, UnreachableError
from ei.host.deadlines import within
from ei.host.events import ContactLearned
from ei.host.stack import Stack
from ei.records.addresses import format_address
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

MAX_WAITING = 1_024
"""Acts that wait for one answer."""


class Lookups:
    """Finds hosts and groups by name or address.

    Args:
        touched: Called after the stack was asked for something.
    """

    def __init__(
        self, stack: Stack, *, now_ns: Callable[[], int], touched: Callable[[], None]
    ) -> None:
        self._stack = stack
        self._now_ns = now_ns
        self._touched = touched
        self._waiting: dict[Query, list[Callable[[ContactLearned], None]]] = {}
        self.dropped: Counter[str] = Counter()

    async def find(self, to: str | Address, *, deadline_s: float) -> Address:
        """Return the address of a host or group whose record is known from now on.

        Raises:
            DeadlineError: the directory did not answer in time.
            NotFoundError: there is none.
            UnreachableError: nobody says whether there is.
        """
        if (known := self._known(to)) is not None:
            return known
        learned: asyncio.Future[ContactLearned] = asyncio.get_running_loop().create_future()

        def finish(event: ContactLearned) -> None:
            if not learned.done():
                learned.set_result(event)

        self._ask(to, finish)
        async with within(deadline_s, f"answer of the directory about {_text(to)}"):
            event = await learned
        return self._found(to, event)

    def then(self, to: str | Address, act: Callable[[Address], bool]) -> bool:
        """Act on an address now if it is known, else once it is; if there is none, never.

        Returns:
            What `act` does, or that it waits to be done.

        Raises:
            LimitError: so much waits for the same answer already.
            NotFoundError: it cannot be a name.
        """
        if (known := self._known(to)) is not None:
            return act(known)

        def finish(event: ContactLearned) -> None:
            if event.reason:
                self.dropped["unknown_destination"] += 1
            else:
                _ = act(self._found(to, event))

        self._ask(to, finish)
        return True

    def take(self, event: ContactLearned) -> None:
        """Tell who waits for this answer."""
        for finish in self._waiting.pop(event.query, ()):
            finish(event)

    def close(self) -> None:
        """Tell who waits that the host was closed."""
        for query in list(self._waiting):
            self.take(ContactLearned(query, "the host was closed"))

    def _ask(self, to: str | Address, finish: Callable[[ContactLearned], None]) -> None:
        query = _query_for(to, self._stack)
        waiting = self._waiting.setdefault(query, [])
        if len(waiting) >= MAX_WAITING:
            raise LimitError(f"{MAX_WAITING} wait already until it is known who {_text(to)} is")
        waiting.append(finish)
        self._stack.contacts.ask(self._now_ns(), query)
        self._touched()

    def _known(self, to: str | Address) -> Address | None:
        records = self._stack.records
        if isinstance(to, str):
            if ":" not in to:
                return records.names.get(to)
            to = records.find(to)
        is_known = to in records.enrolments or to in records.groups or to in records.nodes
        return to if is_known else None

    def _found(self, to: str | Address, event: ContactLearned) -> Address:
        known = self._known(to)
        if known is None:
            raise _missing(_text(to), event.reason)
        return known


def _query_for(to: str | Address, stack: Stack) -> Query:
    if isinstance(to, str) and ":" not in to:
        own, _, domain = to.partition(".")
        if not own or domain not in stack.records.domains:
            raise NotFoundError(f"no record of {to!r}{_hint(to, stack.records)}")
        return Named(to)
    return Addressed(stack.records.find(to) if isinstance(to, str) else to)


def _missing(who: str, reason: str) -> EiError:
    match reason:
        case "not_found":
            return NotFoundError(f"no record of {who}: its domain says that there is none")
        case "no_answer":
            return DeadlineError(f"no record of {who}: no directory answers")
        case _:
            return UnreachableError(f"no record of {who}: {reason or 'it is forgotten again'}")


def _hint(name: str, records: RecordSet) -> str:
    own, _, domain = name.partition(".")
    if near := get_close_matches(name, records.names, n=1):
        return f"; did you mean {near[0]}?"
    if near := get_close_matches(domain, records.domains, n=1):
        return f"; did you mean {own}.{near[0]}?"
    return f"; {len(records.domains)} domains are known, and names end with one of them"


def _text(to: str | Address) -> str:
    return to if isinstance(to, str) else format_address(to)
