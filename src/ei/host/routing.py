"""Who gets what arrives at a host: ports, connections, listeners, calls that wait for an answer."""

import asyncio
from collections import Counter
from typing import TypeVar

from ei.errors import ConflictError, EiError, LimitError
from ei.host.channels import ControlChannel, DatagramChannel, ServiceChannel
from ei.host.events import (
    AttachmentChanged,
    ControlReceived,
    DatagramReceived,
    EchoReceived,
    PacketReceived,
)
from ei.host.inbox import Inbox
from ei.host.ranges import MAX_PORT
from ei.sdk.packets import Address

AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")
Channel = DatagramChannel | ServiceChannel | ControlChannel

FIRST_OWN_PORT = 49_152
"""Ports from here on are given out to who names none (RFC 6335: dynamic ports)."""


Event = AttachmentChanged | ControlReceived | DatagramReceived | EchoReceived | PacketReceived


class Answers(dict[tuple[Address, int], "asyncio.Future[AnswerT]"]):
    """Calls that wait for an answer, by whom they asked and their number.

    Numbers can be guessed: only with the source, which is proven, is an answer the one asked for.
    """

    async def wait(self, source: Address, number: int) -> AnswerT:
        """Return the answer to a call."""
        asked = (source, number)
        self[asked] = asyncio.get_running_loop().create_future()
        try:
            return await self[asked]
        finally:
            del self[asked]

    def finish(self, source: Address, number: int, answer: AnswerT) -> None:
        """Give a call its answer; without effect when nobody waits for it."""
        future = self.get((source, number))
        if future is not None and not future.done():
            future.set_result(answer)

    def fail(self, error: EiError) -> None:
        """Tell all that wait."""
        for future in self.values():
            if not future.done():
                future.set_exception(error)


class Router:
    """Takes the events of one host's stack to its channels.

    Attributes:
        moved: Set when a pipe to a node came up or went down.
        dropped: What a channel did not get, by reason; one that does not read costs the others
            nothing.
    """

    def __init__(self) -> None:
        self._ports: dict[int, DatagramChannel] = {}
        self._services: dict[int, list[ServiceChannel]] = {}
        self._controls: dict[int, ControlChannel] = {}
        self.echoes: Answers[EchoReceived] = Answers()
        self.moved = asyncio.Event()
        self.dropped: Counter[str] = Counter()

    def free_port(self) -> int:
        """Return a port that is not open.

        Raises:
            LimitError: all are.
        """
        for port in range(FIRST_OWN_PORT, MAX_PORT + 1):
            if port not in self._ports:
                return port
        raise LimitError(f"all ports from {FIRST_OWN_PORT} on are open")

    def confirms(self, port: int) -> bool:
        """Return whether who has a port says itself what it keeps."""
        return port in self._ports and self._ports[port].confirms

    def add(self, channel: Channel) -> None:
        """Send a channel what is meant for it.

        Raises:
            ConflictError: another one gets the same.
        """
        match channel:
            case DatagramChannel(port=port):
                if self._ports.setdefault(port, channel) is not channel:
                    raise ConflictError(f"port {port} is open already")
            case ServiceChannel(wanted=wanted):
                self._services.setdefault(wanted.service, []).append(channel)
            case ControlChannel(service=service):
                if self._controls.setdefault(service, channel) is not channel:
                    raise ConflictError(f"control messages of service {service} are taken already")

    def remove(self, channel: Channel) -> None:
        """Forget a channel. Idempotent."""
        match channel:
            case DatagramChannel(port=port):
                if self._ports.get(port) is channel:
                    del self._ports[port]
            case ServiceChannel(wanted=wanted):
                channels = self._services.get(wanted.service, [])
                if channel in channels:
                    channels.remove(channel)
            case ControlChannel(service=service):
                if self._controls.get(service) is channel:
                    del self._controls[service]

    def close(self, error: EiError) -> None:
        """Close all channels, and tell all that wait."""
        for port in list(self._ports.values()):
            port.close()
        for channels in list(self._services.values()):
            for channel in list(channels):
                channel.close()
        for control in list(self._controls.values()):
            control.close()
        self.echoes.fail(error)

    def take(self, event: Event) -> bool:
        """Hand an event to whom it is meant for; return whether anybody took it."""
        match event:
            case AttachmentChanged():
                self.moved.set()
            case EchoReceived():
                self.echoes.finish(event.source, event.number, event)
            case DatagramReceived():
                port = self._ports.get(event.port)
                return self._offer(event, [] if port is None else [port.inbox])
            case ControlReceived():
                control = self._controls.get(event.service)
                return self._offer(event, [] if control is None else [control.inbox])
            case PacketReceived():
                channels = self._services.get(event.service, [])
                wanting = [channel.inbox for channel in channels if channel.wanted.is_met(event)]
                return self._offer(event, wanting)
        return True

    def _offer(self, item: ItemT, inboxes: list[Inbox[ItemT]]) -> bool:
        taken = sum(inbox.put(item) for inbox in inboxes)
        if not inboxes:
            self.dropped["no_listener"] += 1
        elif taken < len(inboxes):
            self.dropped["receiver_busy"] += len(inboxes) - taken
        return taken > 0
