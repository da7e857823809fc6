"""What is said on a stream that broke is not said on the next one before its welcome."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

from ei.errors import StreamError
from ei.host.client import Host
from ei.sdk import Address
from ei.services.pubsub.client_lines import Line
from ei.services.pubsub.messages import Keep, Said, Welcome, write_frame

NODE = Address(b"n" * 16)
WELCOME = write_frame(Welcome(NODE, NODE, (NODE,)))


@dataclass
class FarEnd:
    """A stream as a line sees it: what it reads comes from the test, what it writes is kept."""

    is_stuck: bool = False
    said: list[bytes] = field(default_factory=list[bytes])
    inbound: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue[bytes])
    wrote: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, *, deadline_s: float) -> bytes:
        assert deadline_s > 0
        piece = await self.inbound.get()
        if not piece:
            raise StreamError("broken", kind="reset")
        return piece

    async def write(self, data: bytes, *, deadline_s: float) -> None:
        assert deadline_s > 0
        if self.is_stuck:
            await asyncio.Event().wait()
        self.said.append(data)
        self.wrote.set()

    def abort(self) -> None:
        pass


@dataclass
class Node:
    """Gives the streams that are opened, one after the other."""

    ends: list[FarEnd]
    nodes: tuple[Address, ...] = (NODE,)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def open_service_stream(self, *_words: object, **_more: object) -> FarEnd:
        end = self.ends.pop(0)
        if not self.ends:
            self.opened.set()
        return end


@dataclass
class Owner:
    """Notes how often it was welcomed."""

    node: Node
    home: Address | None = None
    welcomes: asyncio.Queue[Welcome] = field(default_factory=asyncio.Queue[Welcome])

    @property
    def host(self) -> Host:
        return cast("Host", self.node)

    def welcomed(self, line: Line, message: Welcome) -> None:
        assert line.node == message.node
        self.welcomes.put_nowait(message)

    def take(self, log: Address, message: Said) -> None:
        raise AssertionError(f"{message!r} of {log!r}")

    def account(self, number: int, log: Address) -> bytes:
        raise AssertionError(f"{number} of {log!r}")


def test_what_waited_for_a_stream_that_broke_is_left_to_who_said_it() -> None:
    async def program() -> tuple[list[bytes], list[bytes]]:
        first, second = FarEnd(is_stuck=True), FarEnd()
        node = Node([first, second])
        owner = Owner(node)
        line = Line(owner, NODE)
        async with asyncio.TaskGroup() as tasks:
            staying = tasks.create_task(line.stay())
            first.inbound.put_nowait(WELCOME)
            _ = await owner.welcomes.get()
            for number in (1, 2):
                line.say(Keep(number, "a", b""))
                await asyncio.sleep(0)
            first.inbound.put_nowait(b"")
            _ = await node.opened.wait()
            for _ in range(5):
                await asyncio.sleep(0)
            before = list(second.said)
            second.inbound.put_nowait(WELCOME)
            _ = await owner.welcomes.get()
            line.say(Keep(1, "a", b""))
            _ = await second.wrote.wait()
            _ = staying.cancel()
        return before, second.said

    before, after = asyncio.run(program())

    assert before == []
    assert after == [write_frame(Keep(1, "a", b""))]
