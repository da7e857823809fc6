"""A node's engine on loopback, hosts around it, and workers that a test answers for.

host ── 127/8 ── Engine ── host        a worker is the test's end of a socket pair
"""

import select
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import msgspec

from ei._core import Datapath, Engine, Socket, monotonic_ns, public_key
from ei.runtime.batches import Answer, EffectBatch, EventBatch, Item, Outcome
from ei.runtime.worker import socket_pair
from ei.sdk import Address, Hop, Packet, PacketArrived, SendPacket, forward

WITHIN_S = 10.0
DELIVERY = 16
DATAGRAMS = 1
"""`Protection.DATAGRAMS`: the payload counts as sealed by the hosts."""


def key(number: int) -> bytes:
    """Private X25519 key of the host or node `number`."""
    return bytes([number, 1]) * 16


def address(number: int) -> bytes:
    """Address of the host or node `number`."""
    return b"\xfd\x35" + bytes(13) + bytes([number])


NODE = 200


class Host:
    """A host with a socket on loopback, attached to the node at `endpoint` by its datapath."""

    def __init__(self, number: int, *, endpoint: str, bind: str = "127.0.0.1:0") -> None:
        self.address = address(number)
        self.datapath = Datapath(role="host", address=self.address, private_key=key(number))
        self.socket = Socket(bind)
        self.is_up = False
        self.payloads: list[bytes] = []
        self.datapath.add_peer(address(NODE), public_key(key(NODE)), kind="node", endpoint=endpoint)
        self.datapath.dial(monotonic_ns(), address(NODE))
        _ = self.socket.flush(self.datapath)

    def send(self, to: bytes, payloads: Sequence[bytes], *, connection: int = 1) -> int:
        """Send by the service `DELIVERY` to the host at `to`."""
        taken = self.datapath.send(
            monotonic_ns(),
            address(NODE),
            DELIVERY,
            connection,
            to,
            list(payloads),
            protection=DATAGRAMS,
        )
        _ = self.socket.flush(self.datapath)
        return taken

    def pump(self) -> None:
        """Receive what waits, do what is due, send."""
        now_ns = monotonic_ns()
        _ = self.socket.receive(self.datapath, now_ns)
        self.datapath.poll(now_ns)
        for notice in self.datapath.take_notices():
            if notice[0] in {"peer_up", "peer_down"}:
                self.is_up = notice[0] == "peer_up"
        for *_, payloads in self.datapath.take_received():
            self.payloads += payloads
        _ = self.socket.flush(self.datapath)

    def filenos(self) -> list[int]:
        """What to wait for."""
        return [self.socket.fileno()]

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


@dataclass
class Worker:
    """The test's end of a service's sockets; answers each packet as `delivery` would."""

    ends: list[socket.socket]
    batches: list[EventBatch] = field(default_factory=list)
    installs: bool = True

    def pump(self) -> None:
        """Answer the batches that wait."""
        for end in self.ends:
            while select.select([end], [], [], 0)[0]:
                batch = msgspec.msgpack.decode(end.recv(1 << 18), type=EventBatch)
                self.batches.append(batch)
                answers = tuple(self.answer(item) for item in batch.items)
                self.reply(end, EffectBatch(batch.sequence, batch.epoch, answers))

    def answer(self, item: Item) -> Answer:
        """Send a packet to the host that its metadata names, and so from now on."""
        match item:
            case PacketArrived(packet) if self.installs:
                hop = Hop(Address(packet.metadata))
                return Answer(Outcome.ANSWERED, "", tuple(forward(packet, (hop,), ttl_s=60)))
            case PacketArrived(packet):
                return Answer(Outcome.ANSWERED, "", (send(packet),))
            case _:
                return Answer(Outcome.NONE, "", ())

    def reply(self, end: socket.socket, batch: EffectBatch) -> None:
        """Send one batch of effects."""
        _ = end.send(msgspec.msgpack.encode(batch))

    def items(self) -> list[Item]:
        """All items so far."""
        return [item for batch in self.batches for item in batch.items]

    def packets(self) -> list[Packet]:
        """All packets so far."""
        return [item.packet for item in self.items() if isinstance(item, PacketArrived)]

    def filenos(self) -> list[int]:
        """What to wait for."""
        return [end.fileno() for end in self.ends]

    def close(self) -> None:
        """Hang up."""
        for end in self.ends:
            end.close()


def send(packet: Packet) -> SendPacket:
    """Send to the host that the metadata names."""
    return SendPacket(packet, Address(packet.metadata))


class Rig:
    """A running engine that knows the hosts 1 to 9 and has the service `DELIVERY`."""

    def __init__(
        self,
        *,
        threads: int = 1,
        binds: Sequence[str] = ("127.0.0.1:0",),
        xdp: Sequence[str] = (),
    ) -> None:
        self._threads = threads
        self._parts: list[Host | Worker] = []
        self.node = Engine(
            binds=list(binds),
            address=address(NODE),
            private_key=key(NODE),
            threads=threads,
            xdp=list(xdp),
        )
        for number in range(1, 10):
            self.node.add_peer(address(number), public_key(key(number)), kind="host")
        self.node.add_service(DELIVERY)
        self.node.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts:
            part.close()
        self.node.stop()

    def host(self, number: int, *, bind: str = "127.0.0.1:0", endpoint: int | str = 0) -> Host:
        """Make a host that dials the node at an endpoint, or at its endpoint of that index."""
        known = endpoint if isinstance(endpoint, str) else self.node.endpoints[endpoint]
        host = Host(number, endpoint=known, bind=bind)
        self._parts.append(host)
        return host

    def attach(self) -> Worker:
        """Give the service its worker."""
        pairs = [socket_pair() for _ in range(self._threads)]
        worker = Worker([ours for _, ours in pairs])
        self._parts.append(worker)
        self.node.attach_worker(DELIVERY, [theirs.detach() for theirs, _ in pairs])
        return worker

    def pair(self, worker: Worker) -> tuple[Host, Host]:
        """Make two hosts, and wait for their pipes."""
        hosts = self.host(1), self.host(2)
        pump_until(lambda: all(host.is_up for host in hosts), *hosts, worker)
        return hosts

    def notices(self, word: str) -> list[tuple[object, ...]]:
        """Wait for notices that begin with `word`."""
        return wait_for_notices(self.node, word)

    def counts(self) -> dict[str, int]:
        """Return the counters that are plain numbers."""
        found = self.node.statistics()
        return {name: count for name, count in found.items() if isinstance(count, int)}

    def check_books(self) -> None:
        """Check law 6."""
        found = self.node.statistics()
        count = self.counts()

        def total(name: str) -> int:
            dropped = found[name]
            assert isinstance(dropped, dict)
            return sum(dropped.values())

        assert count["received"] == total("dropped") + sum(
            count[name] for name in ("forwarded", "delivered", "consumed", "missed")
        )
        assert count["missed"] == total("missed_dropped") + sum(
            count[name] for name in ("answered", "passed", "waiting")
        )
        assert count["copies"] == total("copies_dropped") + sum(
            count[name] for name in ("sent", "copies_ended", "copies_waiting")
        )


def wait_for_notices(node: Engine, word: str) -> list[tuple[object, ...]]:
    """Wait for notices that begin with `word`."""
    found: list[tuple[object, ...]] = []
    ends_ns = monotonic_ns() + int(WITHIN_S * 1e9)
    while not found:
        assert monotonic_ns() < ends_ns, f"no {word} within {WITHIN_S} s"
        _ = select.select([node.notice_fd()], [], [], 1)
        found = [notice for notice in node.take_notices() if notice[0] == word]
    return found


def pump_until(
    is_done: Callable[[], bool], *parts: Host | Worker, within_s: float = WITHIN_S
) -> None:
    """Pump all parts until `is_done`; fail when that takes too long."""
    ends_ns = monotonic_ns() + int(within_s * 1e9)
    descriptors = [descriptor for part in parts for descriptor in part.filenos()]
    while not is_done():
        assert monotonic_ns() < ends_ns, f"not within {within_s} s"
        _ = select.select(descriptors, [], [], 0.01)
        for part in parts:
            part.pump()
