"""The load of the scenario: numbers at a steady rate, and which of them were acknowledged."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ei.errors import DeadlineError, LocalError
from ei.host.channels import ServiceChannel
from ei.host.client import Host
from ei.lab.lab import Lab
from ei.scenarios.upgrade.first.ledger.service import NUMBER_BYTES, PAGE, QUESTION

LEDGER = 4026531850
TICK_S = 0.01
LIMIT_ITEMS = 65_536
LAST_S = 1.0
"""What was sent last gets this long to be answered."""
PATIENCE_S = 0.5
TRIES = 20


@dataclass(slots=True)
class Seen:
    """What the host saw; times are those of the lab's clock.

    Attributes:
        tried: Numbers that it had to send.
        sent: Those that the host's pipe took.
        acknowledged: Those that were answered.
        versions: Answers by the version that gave them.
        last: The version of the newest answer.
        last_s: When that came.
        gap_s: The longest time without an answer since it was last set to 0.
        late_s: How late this program came to send, at worst: its own gap is not the node's.
    """

    tried: int = 0
    sent: int = 0
    acknowledged: set[int] = field(default_factory=set[int])
    versions: Counter[int] = field(default_factory=Counter[int])
    last: int = 0
    last_s: float = 0.0
    gap_s: float = 0.0
    late_s: float = 0.0

    def note(self, number: int, version: int, now_s: float) -> None:
        """Take note of an answer."""
        if self.last_s:
            self.gap_s = max(self.gap_s, now_s - self.last_s)
        self.acknowledged.add(number)
        self.versions[version] += 1
        self.last, self.last_s = version, now_s


@asynccontextmanager
async def loaded(lab: Lab, host: Host, rate_pps: float, *, first: int = 0) -> AsyncGenerator[Seen]:
    """Send numbers from `first` on while the context lasts, and wait for the last answers."""
    seen = Seen()
    is_over = asyncio.Event()
    with host.call(LEDGER, limit_items=LIMIT_ITEMS) as channel:
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(_take(lab, channel, seen))
            sending = group.create_task(_send(lab, channel, seen, (first, rate_pps), is_over))
            try:
                yield seen
            finally:
                is_over.set()
                await sending
                await lab.sleep(LAST_S)
                channel.close()


async def _send(
    lab: Lab,
    channel: ServiceChannel,
    seen: Seen,
    numbers_from: tuple[int, float],
    is_over: asyncio.Event,
) -> None:
    first, rate_pps = numbers_from
    began_s = lab.now_s()
    while not is_over.is_set():
        planned_s = lab.now_s() + TICK_S
        wanted = int((lab.now_s() - began_s) * rate_pps)
        numbers = range(first + seen.tried, first + wanted)
        seen.tried = wanted
        # A number that the pipe does not take is never sent: nobody has accepted it.
        seen.sent += channel.send(*(number.to_bytes(NUMBER_BYTES) for number in numbers))
        await lab.sleep(TICK_S)
        seen.late_s = max(seen.late_s, lab.now_s() - planned_s)


async def _take(lab: Lab, channel: ServiceChannel, seen: Seen) -> None:
    while True:
        try:
            packet = await channel.receive(deadline_s=60.0)
        except LocalError:
            return  # closed: the load is over
        if len(packet.payload) == 1 + NUMBER_BYTES:
            seen.note(int.from_bytes(packet.payload[1:]), packet.payload[0], lab.now_s())


async def kept(host: Host, upto: int) -> set[int]:
    """Return the numbers below `upto` that the ledger has kept.

    Raises:
        DeadlineError: it does not say so.
    """
    found: set[int] = set()
    with host.call(LEDGER) as channel:
        for page in range(upto // PAGE + 1):
            bits = await _ask(channel, page)
            found.update(page * PAGE + place for place in range(PAGE) if bits >> place & 1)
    return found


async def _ask(channel: ServiceChannel, page: int) -> int:
    question = QUESTION + page.to_bytes(NUMBER_BYTES)
    for tries in range(TRIES):
        _ = channel.send(question)
        try:
            answer = (await channel.receive(deadline_s=PATIENCE_S)).payload
        except DeadlineError:
            if tries == TRIES - 1:
                raise
            continue
        if answer.startswith(question):
            return int.from_bytes(answer.removeprefix(question))
    raise DeadlineError(f"the ledger does not say what it keeps of page {page}")
