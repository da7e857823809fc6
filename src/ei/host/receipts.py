"""What became of messages: by its deadline each is delivered, dropped for a reason, or unknown.

`delivered` and `durable` are the destination's own end-to-end statement, nobody else's. While there
is none, the nodes on the way are asked, now and then; `dropped` by one of them ends the wait, since
a message is one packet on a connection of its own. All else is `unknown`, with what is known.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ei.attachment import ATTACHMENT, encode
from ei.errors import DeadlineError, EiError
from ei.host.deadlines import within
from ei.host.events import ReceiptReceived, StatementReceived
from ei.host.inquiries import Account
from ei.host.messages import Message
from ei.host.sessions import DELIVERY
from ei.host.stack import Stack
from ei.host.verdicts import Receipt, is_whole, judge_message
from ei.sdk.packets import Address

FIRST_S = 0.5
"""A message is asked about after half its time, or this: most receipts have come by then."""
LAST = 0.8
"""Part of the time after which nodes are asked for the last time."""
SESSION_S = 1.0
"""How long a message waits for its session with the destination."""
PAUSE_S = 1 / 150
"""Between two questions: nodes answer 200 a second of one host."""


class Turns:
    """Lets acts have their turn one after another, a pause apart.

    An act returns whether it did anything; if not, the next one has its turn at once.
    """

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._acts: deque[Callable[[], bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, act: Callable[[], bool]) -> None:
        """Let an act have its turn, now if nobody had one just now."""
        self._acts.append(act)
        if self._timer is None:
            self._next()

    def _next(self) -> None:
        self._timer = None
        while self._acts:
            if self._acts.popleft()():
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(self._pause_s, self._next)
                return


@dataclass(slots=True)
class _Awaited:
    """A message, its receipt, and the numbers of what was asked about it."""

    message: Message
    receipt: "asyncio.Future[Receipt]"
    asked: list[int] = field(default_factory=list[int])


class Receipts:
    """All receipts that one host waits for."""

    def __init__(
        self, stack: Stack, *, now_ns: Callable[[], int], touched: Callable[[], None]
    ) -> None:
        self._stack = stack
        self._now_ns = now_ns
        self._touched = touched
        self._messages: dict[tuple[Address, int], asyncio.Future[Receipt]] = {}
        self._questions: dict[int, Callable[[Account], None]] = {}
        self._turns = Turns(PAUSE_S)
        self._waiting: set[asyncio.Future[Receipt] | asyncio.Future[Account]] = set()

    async def of(self, message: Message, *, deadline_s: float) -> Receipt:
        """Return what became of a message that was sent just now."""
        awaited = _Awaited(message, asyncio.get_running_loop().create_future())
        self._messages[message.to, message.number] = awaited.receipt
        self._waiting.add(awaited.receipt)
        try:
            async with within(deadline_s, "receipt"):
                return await self._wait(awaited, deadline_s)
        except DeadlineError:
            return self._conclude(awaited)
        finally:
            del self._messages[message.to, message.number]
            self._waiting.discard(awaited.receipt)
            _ = awaited.receipt.cancel()
            self._stack.datagrams.close_message(message)
            for number in awaited.asked:
                self._close(number)

    async def explain(
        self, service: int, connection: int, *, node: Address, deadline_s: float
    ) -> Account:
        """Ask the nodes, from `node` on, about the newest traced packet of a connection.

        Returns:
            What was known when all had answered, or at the deadline.
        """
        number = self._ask(node, service, connection)
        if number is None:
            return Account(node)
        account: asyncio.Future[Account] = asyncio.get_running_loop().create_future()
        self._waiting.add(account)

        def take(told: Account) -> None:
            if is_whole(told, self._stack.records) and not account.done():
                account.set_result(told)

        self._questions[number] = take
        try:
            async with within(deadline_s, "answer"):
                return await account
        except DeadlineError:
            return self._stack.inquiries.account(number)
        finally:
            self._waiting.discard(account)
            self._close(number)

    def take(self, event: ReceiptReceived | StatementReceived) -> None:
        """Take what a destination or a node says."""
        match event:
            case ReceiptReceived():
                receipt = self._messages.get((event.source, event.number))
                if receipt is not None and not receipt.done():
                    reason = "not_taken" if event.word == "dropped" else ""
                    name = self._stack.records.name_of(event.source)
                    receipt.set_result(Receipt(event.word, reason, name, is_signed=True))
            case StatementReceived():
                if (take := self._questions.get(event.number)) is not None:
                    take(self._stack.inquiries.account(event.number))

    def fail(self, error: EiError) -> None:
        """Tell all that wait."""
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)

    async def _wait(self, awaited: "_Awaited", deadline_s: float) -> Receipt:
        message, receipt = awaited.message, awaited.receipt
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._touched()
        for after_s in (0.0, *when_to_ask(deadline_s)):
            _ = await asyncio.wait((receipt,), timeout=max(0.0, began_s + after_s - loop.time()))
            if receipt.done():
                break
            if word := _ended_here(message, after_s):
                return Receipt("dropped", word, self._stack.identity.name)
            if message.node is not None and after_s:
                self._turns.take(lambda: self._ask_about(awaited))
        return await receipt

    def _ask_about(self, awaited: "_Awaited") -> bool:
        """Ask the nodes about a message, unless it has ended; a drop is its receipt."""
        message, receipt = awaited.message, awaited.receipt

        def take(told: Account) -> None:
            if told.is_dropped and not receipt.done():
                receipt.set_result(judge_message(told, self._stack.records))

        if receipt.done() or message.node is None:
            return False
        number = self._ask(message.node, DELIVERY, message.connection)
        if number is not None:
            awaited.asked.append(number)
            self._questions[number] = take
        return True

    def _conclude(self, awaited: "_Awaited") -> Receipt:
        """Return what can be said at the deadline."""
        node = awaited.message.node
        if node is None:
            # It is closed now, so it will not leave any more.
            word = _ended_here(awaited.message, SESSION_S) or "no_session"
            return Receipt("dropped", word, self._stack.identity.name)
        accounts = [self._stack.inquiries.account(number) for number in awaited.asked]
        known = [account for account in accounts if account.last is not None]
        account = known[-1] if known else Account(node)
        return judge_message(account, self._stack.records)

    def _ask(self, node: Address, service: int, connection: int) -> int | None:
        """Ask the nodes, from `node` on; `None` while nothing reaches it."""
        question = self._stack.inquiries.ask(node, service, connection)
        message = encode(question)
        try:
            self._stack.datapath.send_control(self._now_ns(), node, ATTACHMENT, message)
        except ValueError:
            self._stack.inquiries.close(question.number)
            return None
        self._touched()
        return question.number

    def _close(self, number: int) -> None:
        _ = self._questions.pop(number, None)
        self._stack.inquiries.close(number)


def _ended_here(message: Message, after_s: float) -> str:
    """Return why a message has not left this host and will not, after so long; else nothing."""
    if message.is_refused:
        return "send_refused"
    return "no_session" if message.node is None and after_s > SESSION_S else ""


def when_to_ask(deadline_s: float) -> Iterator[float]:
    """Yield after how many seconds nodes are asked about a message; further and further apart."""
    last_s = deadline_s * LAST
    after_s = min(FIRST_S, deadline_s / 2)
    pause_s = after_s
    while after_s < last_s:
        yield after_s
        pause_s *= 2
        after_s += pause_s
    yield last_s
