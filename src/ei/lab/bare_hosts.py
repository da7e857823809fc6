"""Hosts without an application: a datapath and a socket each, and one loop for many of them.

For load that a host of an asyncio program could not make, or take.
"""

import select
import time

import msgspec

from ei._core import Datapath, Socket

UP_LIMIT_S = 20.0
DIALS_PER_S = 15.0
"""A node answers 20 handshakes a second of one address; what is too much waits seconds to retry."""


class HostOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Who a host is, and which node it uses.

    Attributes:
        address, pipe_secret: Its own, 16 and 32 bytes.
        bind: Endpoint; port 0 takes any.
        node, node_key, node_endpoint: Of the node.
    """

    address: bytes
    pipe_secret: bytes
    bind: str
    node: bytes
    node_key: bytes
    node_endpoint: str


class BareHost:
    """One host; `pump` does what is due and returns what was received."""

    def __init__(self, order: HostOrder) -> None:
        self._order = order
        self.datapath = Datapath(
            role="host", address=order.address, private_key=order.pipe_secret,
            unix_offset_ns=time.time_ns() - time.monotonic_ns(),
        )  # fmt: skip
        self.socket = Socket(order.bind)
        self.datapath.add_peer(
            order.node, order.node_key, kind="node", endpoint=order.node_endpoint
        )
        self.is_up = False

    @property
    def node(self) -> bytes:
        """Address of its node."""
        return self._order.node

    def dial(self) -> None:
        """Open the pipe; `is_up` says when it is."""
        self.datapath.dial(time.monotonic_ns(), self._order.node)
        _ = self.socket.flush(self.datapath)

    def pump(self) -> None:
        """Receive, do what is due, send."""
        now_ns = time.monotonic_ns()
        _ = self.socket.receive(self.datapath, now_ns)
        self.datapath.poll(now_ns)
        for notice in self.datapath.take_notices():
            match notice:
                case ("peer_up", _):
                    self.is_up = True
                case ("peer_down", _):
                    self.is_up = False
                case _:
                    pass
        _ = self.socket.flush(self.datapath)

    def wait_s(self) -> float:
        """Seconds until something is due, at most 0.1."""
        deadline_ns = self.datapath.next_deadline_ns()
        if deadline_ns is None:
            return 0.1
        return min(max(deadline_ns - time.monotonic_ns(), 0) / 1e9, 0.1)


def open_pipes(
    hosts: list[BareHost], *, limit_s: float = UP_LIMIT_S, dials_per_s: float = DIALS_PER_S
) -> bool:
    """Dial from one host after the other; return whether all pipes are up within the limit.

    Args:
        dials_per_s: More than the default where they have addresses of their own.
    """
    dialled = 0
    start_s = time.monotonic()
    while (elapsed_s := time.monotonic() - start_s) < limit_s:
        if dialled < len(hosts) and dialled <= elapsed_s * dials_per_s:
            hosts[dialled].dial()
            dialled += 1
        _ = pump_all(hosts, most_s=1 / dials_per_s)
        if all(host.is_up for host in hosts):
            return True
    return False


def pump_all(
    hosts: list[BareHost], *, further: tuple[int, ...] = (), most_s: float = 0.1
) -> list[int]:
    """Wait for the first of `hosts` with work to do, then pump it; return ready descriptors."""
    wait_s = min(most_s, *(host.wait_s() for host in hosts))
    ready, _, _ = select.select([*hosts_by_descriptor(hosts), *further], [], [], wait_s)
    for host in hosts:
        if host.socket.fileno() in ready or host.wait_s() == 0.0:
            host.pump()
    return ready


def hosts_by_descriptor(hosts: list[BareHost]) -> list[int]:
    """Return the descriptors to wait for."""
    return [host.socket.fileno() for host in hosts]
