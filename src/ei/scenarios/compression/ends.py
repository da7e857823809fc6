"""Tenants that train, sign, offer and send; who takes what they send, and who sees frames."""

from collections.abc import Mapping
from typing import cast

import msgspec

from ei.errors import DeadlineError
from ei.host.channels import ControlChannel, ServiceChannel
from ei.host.client import Host
from ei.lab.lab import Lab
from ei.scenarios.compression.readings import SAMPLES, readings
from ei.services.compression.client import offer, sign
from ei.services.compression.messages import NUMBERS, Dictionary
from ei.services.compression.stages import read_header, train

FIRST = "sn1.isp-a"
DELIVERY = 16
WIRETAP = 0xF000_0002
INBOX_ITEMS = 65_536
QUIET_S = 0.5


class Frame(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """A payload as it crossed the pipe between the nodes, as the wiretap says."""

    source: bytes
    is_compressed: bool
    payload: bytes


class Tenant:
    """A host that sends readings to another one, by dictionaries of its own."""

    def __init__(self, lab: Lab, name: str, to: str, *, site: str) -> None:
        self.lab = lab
        self.host = lab.host(name)
        self.to = bytes(lab.host(to).address)
        self.site = site
        self.trained: dict[int, bytes] = {}

    def samples(self) -> list[bytes]:
        """What it trains with: none of it is ever sent."""
        return list(readings(1, SAMPLES, site=self.site))

    async def offer(
        self, version: int, samples: list[bytes] | None = None, *, service: int = DELIVERY
    ) -> None:
        """Train, sign and offer the next dictionary."""
        trained = train(samples or self.samples(), number=NUMBERS + version)
        dictionary = Dictionary(self.host.address, service, version, trained)
        await offer(self.host, sign(self.lab.keys_of(self.host.name), dictionary))
        if service == DELIVERY:
            self.trained[NUMBERS + version] = trained

    def channel(self) -> ServiceChannel:
        """A connection of its own; what it sends is covered by the pipes, and not sealed."""
        return self.host.call(DELIVERY, metadata=self.to)

    async def send(self, payloads: list[bytes], *, rate_pps: float) -> int:
        """Send on one connection at a steady rate; return how many the pipe took."""
        taken = 0
        with self.channel() as channel:
            for payload in payloads:
                taken += channel.send(payload)
                await self.lab.sleep(1 / rate_pps)
        return taken

    async def send_apart(self, payloads: list[bytes], *, rate_pps: float) -> None:
        """The same, each on a connection of its own, so that the observer sees each."""
        for payload in payloads:
            with self.channel() as channel:
                _ = channel.send(payload)
            await self.lab.sleep(1 / rate_pps)

    def forge(self, payload: bytes) -> None:
        """Have the first node send this as if it were a frame that it made."""
        with self.host.call(WIRETAP, metadata=self.to) as channel:
            _ = channel.send(payload)


class Collector:
    """A host that takes all that is sent to it."""

    def __init__(self, host: Host) -> None:
        self._heard = host.listen(DELIVERY, limit_items=INBOX_ITEMS)

    async def take(self) -> list[bytes]:
        """Return what came since the last call, until nothing came for a while."""
        payloads: list[bytes] = []
        while True:
            try:
                payloads.append((await self._heard.receive(deadline_s=QUIET_S)).payload)
            except DeadlineError:
                return payloads

    def close(self) -> None:
        """Take no more."""
        self._heard.close()


class Observer:
    """What the wiretap shows."""

    def __init__(self, host: Host) -> None:
        self._channel: ControlChannel = host.controls(WIRETAP, limit_items=INBOX_ITEMS)

    async def take(self, source: Host | None = None) -> list[Frame]:
        """Return what was shown since the last call, of one source alone if it is given."""
        frames: list[Frame] = []
        while True:
            try:
                message = (await self._channel.receive(deadline_s=QUIET_S)).message
            except DeadlineError:
                break
            frames.append(msgspec.msgpack.decode(message, type=Frame))
        return [each for each in frames if source is None or each.source == source.address]

    def close(self) -> None:
        """See no more."""
        self._channel.close()


async def until_compressed(tenant: Tenant, observer: Observer, version: int) -> bool:
    """Send until frames of that version cross; say whether they do."""
    for _ in range(20):
        await tenant.send_apart(list(readings(3, 2, site=tenant.site)), rate_pps=20)
        if NUMBERS + version in map(number_of, await observer.take(tenant.host)):
            return True
    return False


def number_of(frame: Frame) -> int | None:
    """Return the number of a frame's dictionary; `None` for a payload that is none."""
    header = read_header(frame.payload) if frame.is_compressed else None
    return None if header is None else header.dictionary


async def sent_bytes(lab: Lab) -> int:
    """Return the bytes that the first node ever sent to the next."""
    statistics = await lab.statistics(FIRST)
    peers = cast("Mapping[str, Mapping[str, int]]", statistics["peers"])
    (next_node,) = lab.host("bob").nodes
    return peers[next_node.hex()]["sent_bytes"]
