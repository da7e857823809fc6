"""A node and its hosts in one process, with nothing between them: what the datapath alone costs.

Hosts seal beforehand, and what they sealed is handed over at once. So there may be more pipes and
decisions than sockets could feed, and every core may belong to the node.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from ei._core import Datapath, Replay, public_key
from ei.errors import LocalError
from ei.runtime.inprocess import InProcess
from ei.runtime.loader import datapath_options, load_service
from ei.sdk.packets import Address, Protection

MODULES = Path(__file__).with_name("modules")
DELIVERY = load_service("delivery")
SPREAD = load_service(MODULES / "spread")
NODE_SECRET = sha256(b"the node of a benchmark").digest()
NODE_ENDPOINT = "127.255.0.1:3535"
STEP_NS = 1_000_000
"""Between handshakes: more of them at once are taken for a flood."""
LONG_S = 3_600.0
UNIX_S = 1_800_000_000.0
AT_ONCE = 64
SEALED_BYTES = 16 + 48 + 16
"""Of a host's datagram around the payload: prefix; header and destination, padded; tag."""


class Indoors:
    """A node that runs `delivery` and `spread`, and as many hosts as are asked for.

    Args:
        cache_entries: Of the node's decision cache.
    """

    def __init__(self, *, cache_entries: int = 65_536) -> None:
        self.now_ns = STEP_NS
        self.address = _address(b"node")
        self.node = Datapath(
            role="node", address=self.address, private_key=NODE_SECRET,
            unix_offset_ns=int(UNIX_S * 1e9), cache_entries=cache_entries,
        )  # fmt: skip
        self._services = InProcess(self.address, seed=b"1")
        for loaded, config in ((DELIVERY, {"decision_s": LONG_S}), (SPREAD, {})):
            self.node.add_service(loaded.manifest.id, **datapath_options(loaded.manifest))
            self._services.add(loaded, config=config)

    def dialling(self, number: int) -> "Host":
        """Return a host that the node knows, and that is about to open its pipe."""
        host = Host(self, number)
        self.node.add_peer(host.address, public_key(host.secret), kind="host")
        host.datapath.add_peer(
            self.address, public_key(NODE_SECRET), kind="node", endpoint=NODE_ENDPOINT
        )
        self.now_ns += STEP_NS
        host.datapath.dial(self.now_ns, self.address)
        return host

    def join(self, number: int) -> "Host":
        """Return a host whose pipe to the node is up.

        Raises:
            LocalError: It is not.
        """
        host = self.dialling(number)
        self.exchange(host)
        if ("peer_up", host.address) not in self.node.take_notices():
            raise LocalError(f"the pipe of host {number} is not up")
        # The service hears of it now, and not between its decisions, which it would revoke.
        self.serve()
        return host

    def exchange(self, host: "Host") -> None:
        """Carry what is under way between the node and one host, to its end."""
        is_quiet = False
        while not is_quiet:
            out, back = host.datapath.take_datagrams(), self.node.take_datagrams()
            for _, datagram in out:
                _ = self.node.handle(self.now_ns, host.endpoint, datagram)
            for to, datagram in back:
                # What goes to others has nobody to take it.
                if to == host.endpoint:
                    _ = host.datapath.handle(self.now_ns, NODE_ENDPOINT, datagram)
            is_quiet = not (out or back)

    def decide(self, host: "Host", to: "Host | int", connections: Iterable[int]) -> None:
        """Have the service decide about connections."""
        waiting = 0
        for connection in connections:
            host.send(to, connection, b"")
            waiting += 1
            if waiting == AT_ONCE:
                self._settle(host)
                waiting = 0
        self._settle(host)

    def serve(self) -> None:
        """Let the services handle all that waits for it."""
        while self._services.pump(self.node, self.now_ns, UNIX_S + self.now_ns / 1e9):
            pass

    def look(self, name: str) -> int:
        """Return one of the node's counts."""
        value = self.node.statistics()[name]
        if not isinstance(value, int):
            raise LocalError(f"statistics: {name} is {value!r}, not a number")
        return value

    def run(self, replay: Replay, *, order: list[int] | None = None) -> float:
        """Hand packets over; return the CPU time of one, nanoseconds.

        Raises:
            LocalError: Not all of them were forwarded by a decision.
        """
        before = self.look("forwarded")
        datagrams, spent_ns = replay.run(self.node, self.now_ns, order=order)
        forwarded = self.look("forwarded") - before
        if not datagrams or forwarded != datagrams:
            raise LocalError(f"of {datagrams} packets {forwarded} were forwarded")
        return spent_ns / datagrams

    def _settle(self, host: "Host") -> None:
        for _, datagram in host.datapath.take_datagrams():
            _ = self.node.handle(self.now_ns, host.endpoint, datagram)
        self.serve()
        _ = self.node.take_datagrams()


class Host:
    """One host. Made by `Indoors.join`."""

    def __init__(self, indoors: Indoors, number: int) -> None:
        self._indoors = indoors
        self.secret = sha256(b"host %d of a benchmark" % number).digest()
        self.address = _address(b"host%d" % number)
        high, middle, low = number.to_bytes(3, "big")
        self.endpoint = f"10.{high}.{middle}.{low}:3535"
        self.datapath = Datapath(
            role="host", address=self.address, private_key=self.secret,
            unix_offset_ns=int(UNIX_S * 1e9), cache_entries=0,
        )  # fmt: skip

    def send(self, to: "Host | int", connection: int, payload: bytes) -> None:
        """Seal one packet to a host, or to so many; whoever takes it carries it."""
        service, metadata = (
            (SPREAD, to.to_bytes(2, "big")) if isinstance(to, int) else (DELIVERY, to.address)
        )
        _ = self.datapath.send(
            self._indoors.now_ns, self._indoors.address, service.manifest.id, connection,
            metadata, [payload], protection=Protection.DATAGRAMS,
        )  # fmt: skip

    def seal(
        self, replay: Replay, to: "Host | int", connections: Iterable[int], payload: bytes
    ) -> None:
        """Add a packet of each connection to what is handed over, in trains where they fit."""
        for number, connection in enumerate(connections, start=1):
            self.send(to, connection, payload)
            if number % AT_ONCE == 0:
                replay.take(self.datapath, self.endpoint)
        replay.take(self.datapath, self.endpoint)


def _address(name: bytes) -> Address:
    return Address(b"\xfd5\x00\x00\x00\x01" + name.ljust(10, b"\0"))
