"""A host of either version, which does what it is told: a JSON object a line in, one a line out.

    PYTHONPATH=TREE/src python talker.py host.toml

It uses what the documentation of `ei` promises to programs and nothing else, so that the same file
runs on the code of both versions.
"""

import asyncio
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from ei import aio
from ei.errors import EiError

PORT = 7
LIMIT_S = 10.0
PING_S = 0.5
RECEIPT_S = 3.0
TICK_S = 0.01
MESSAGES = 10
STREAM_BYTES = 100_000
RECEIPT_EVERY = 5
LIMIT_ITEMS = 65_536
VISIT = b"visit"


class Talker:
    """One host: what came to it, and the flow that it sends.

    Attributes:
        accepted, confirmed: Numbers that this host has taken, and those of which a receipt says
            that they were delivered.
        arrived: Source to the numbers that came.
        gap_s: Longest time in which a flow that was there brought nothing.
        late_s: How late this program came to send, at worst.
    """

    def __init__(self, host: aio.Host) -> None:
        self._host = host
        self._is_over = asyncio.Event()
        self._last_s: dict[str, float] = {}
        self.accepted: list[int] = []
        self.confirmed: list[int] = []
        self.arrived: dict[str, list[int]] = {}
        self.gap_s = 0.0
        self.late_s = 0.0

    async def serve(self) -> None:
        """Take what comes, and do what is said, until nothing more is."""
        async with asyncio.TaskGroup() as tasks:
            serving = [tasks.create_task(self._take()), tasks.create_task(self._accept())]
            sending: asyncio.Task[None] | None = None
            verbs: dict[str, Callable[[str], Coroutine[Any, Any, object]]] = {
                "attached": self._attached,
                "reach": self._reach,
                "visit": self._visit,
                "report": self._report,
            }
            while line := await asyncio.to_thread(sys.stdin.readline):
                told = json.loads(line)
                answer: object = True
                if told["do"] == "flow":
                    sending = tasks.create_task(self._send(told["to"], told["rate_pps"]))
                elif told["do"] == "stop":
                    self._is_over.set()
                    await (sending or asyncio.sleep(0))
                else:
                    answer = await verbs[told["do"]](told.get("to", ""))
                say(answer)
            for task in serving:
                task.cancel()

    # -- what it is told ---------------------------------------------------------------------------

    async def _attached(self, _: str) -> bool:
        """Whether the pipes to all its nodes are up."""
        return all(each.is_up for each in self._host.status().attachments)

    async def _reach(self, to: str) -> bool:
        """Ping another host until it answers; return whether it did."""
        for _ in range(int(LIMIT_S / PING_S)):
            with suppress(EiError):
                await self._host.ping(to, deadline_s=PING_S)
                return True
        return False

    async def _visit(self, to: str) -> object:
        """Ping another host, send it messages with receipts, and a stream that it digests."""
        await self._host.ping(to, deadline_s=LIMIT_S)
        with self._host.datagrams() as channel:
            sent = (channel.send(to, VISIT, port=PORT, deadline_s=LIMIT_S) for _ in range(MESSAGES))
            receipts = await asyncio.gather(*sent)
        content = os.urandom(STREAM_BYTES)
        stream = await self._host.open_stream(to, PORT, deadline_s=LIMIT_S)
        await stream.write(content, deadline_s=LIMIT_S)
        await stream.finish(deadline_s=LIMIT_S)
        digest = await stream.read_all(deadline_s=LIMIT_S)
        return {
            "outcomes": Counter(receipt.outcome for receipt in receipts),
            "is_whole": digest.decode() == hashlib.sha256(content).hexdigest(),
        }

    async def _report(self, _: str) -> object:
        """What was sent, and what came."""
        names = ("accepted", "confirmed", "arrived", "gap_s", "late_s")
        return {name: getattr(self, name) for name in names}

    # -- parts -------------------------------------------------------------------------------------

    async def _send(self, to: str, rate_pps: float) -> None:
        """Send numbered messages, some with receipts; what is late is made up for."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        number = 0
        with self._host.datagrams() as channel:
            async with asyncio.TaskGroup() as waiting:
                while not self._is_over.is_set():
                    while number <= (loop.time() - began_s) * rate_pps:
                        data = number.to_bytes(4, "little")
                        if number % RECEIPT_EVERY == 0:
                            waiting.create_task(self._ask(channel, to, data))
                        elif channel.try_send(to, data, port=PORT):
                            self.accepted.append(number)
                        number += 1
                    planned_s = loop.time() + TICK_S
                    await asyncio.sleep(TICK_S)
                    self.late_s = max(self.late_s, loop.time() - planned_s)

    async def _ask(self, channel: aio.DatagramChannel, to: str, data: bytes) -> None:
        receipt = await channel.send(to, data, port=PORT, deadline_s=RECEIPT_S)
        if receipt.outcome == "delivered":
            self.confirmed.append(int.from_bytes(data, "little"))

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        with self._host.datagrams(PORT, limit_items=LIMIT_ITEMS) as inbox:
            while True:
                with suppress(TimeoutError):
                    datagram = await inbox.receive(deadline_s=LIMIT_S)
                    if datagram.data != VISIT:
                        source = self._host.records.name_of(datagram.source)
                        number = int.from_bytes(datagram.data, "little")
                        self.arrived.setdefault(source, []).append(number)
                        now_s = loop.time()
                        self.gap_s = max(self.gap_s, now_s - self._last_s.get(source, now_s))
                        self._last_s[source] = now_s

    async def _accept(self) -> None:
        with self._host.accept_streams(PORT) as listener:
            async with asyncio.TaskGroup() as answering:
                while True:
                    with suppress(TimeoutError):
                        stream = await listener.accept(deadline_s=LIMIT_S)
                        answering.create_task(digest_of(stream))


async def digest_of(stream: aio.Stream) -> None:
    """Answer a stream with the digest of what came on it."""
    content = await stream.read_all(deadline_s=LIMIT_S)
    await stream.write(hashlib.sha256(content).hexdigest().encode(), deadline_s=LIMIT_S)
    await stream.finish(deadline_s=LIMIT_S)


def say(answer: object) -> None:
    """Write one line to whoever tells this host what to do."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def main(path: str) -> None:
    """Attach, say so, and serve."""
    async with aio.connect(path) as host:
        say(host.name)
        await Talker(host).serve()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
