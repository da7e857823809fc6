"""How a node stops without anybody losing anything: it says so, waits to be left, then closes.

draining = Draining(control)
draining.begin(now_s, grace_s=10.0, spread_s=0.0, peers={...})
while not draining.step(now_s, carried=..., waiting=...): ...
draining.outcome

Peers that are nodes are told at once, hosts one after another within the spread. Who was told and
answered `Moved` hands over nothing more; the node goes on handing out what it has. It is done once
all have moved, nothing waits in it, and nothing has passed for a moment; or when the grace is over.

The same class is the other side: a peer that drains is avoided, and told so.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Literal, Protocol

import msgspec

from ei.attachment import ATTACHMENT, Moved, encode
from ei.attachment import Draining as DrainingMessage
from ei.errors import ConflictError
from ei.sdk.packets import Address

QUIET_S = 0.25
"""What was on its way when the last peer moved has come by then."""
INSISTING_S = 1.0
"""So long a node that all have left waits for such a quiet moment."""


class PeerControl(Protocol):
    """What is asked of the datapath."""

    def send_control(self, peer: bytes, service: int, message: bytes) -> None: ...
    def set_peer_avoided(self, address: bytes, *, is_avoided: bool) -> None: ...


class DrainStatus(msgspec.Struct, frozen=True):
    """A drain, begun or over. `using` are the peers that have not moved, told or not."""

    peers: int
    told: int
    using: int
    waiting: int
    is_over: bool


class Drained(msgspec.Struct, frozen=True):
    """How a drain ended: `left` are the peers that had not moved when the grace was over."""

    moved: int
    left: tuple[Address, ...]
    waiting: int
    took_s: float


class Passed(msgspec.Struct, frozen=True):
    """What the datapath's statistics say of packets that pass, and of those inside."""

    forwarded: int = 0
    delivered: int = 0
    missed: int = 0
    waiting: int = 0
    copies_waiting: int = 0

    @property
    def carried(self) -> int:
        """Packets that have passed so far; those of the pipes themselves do not count."""
        return self.forwarded + self.delivered + self.missed

    @property
    def inside(self) -> int:
        """Packets without a fate yet, their copies included."""
        return self.waiting + self.copies_waiting


Using = Literal["untold", "told", "moved"]


class Draining:
    """Both sides of the drain of a node: its own, and that of its peers."""

    def __init__(self, control: PeerControl) -> None:
        self._control = control
        self._avoided: set[Address] = set()
        self._peers: dict[Address, Using] = {}
        self._tell_s: list[tuple[float, Address]] = []
        self._grace_s = 0.0
        self._began_s: float | None = None
        self._ends_s = 0.0
        self._carried = -1
        self._waiting = 0
        self._quiet_since_s = 0.0
        self._left_since_s = 0.0
        self._outcome: Drained | None = None

    @property
    def is_on(self) -> bool:
        """Whether this node drains, or has."""
        return self._began_s is not None

    @property
    def avoided(self) -> frozenset[Address]:
        """Peers that drain."""
        return frozenset(self._avoided)

    @property
    def outcome(self) -> Drained | None:
        """How it ended; `None` before."""
        return self._outcome

    def status(self) -> DrainStatus | None:
        """Return how far it is; `None` where nothing drains."""
        if self._began_s is None:
            return None
        states = list(self._peers.values())
        return DrainStatus(
            peers=len(states),
            told=len(states) - states.count("untold"),
            using=len(states) - states.count("moved"),
            waiting=self._waiting,
            is_over=self._outcome is not None,
        )

    # -- this node --------------------------------------------------------------------------------

    def begin(
        self,
        now_s: float,
        *,
        grace_s: float,
        spread_s: float,
        peers: Mapping[Address, Literal["node", "host"]],
    ) -> None:
        """Begin to drain.

        Args:
            grace_s: Longest wait after the last peer was told.
            spread_s: Time over which hosts are told, so that not all of them move at once.
            peers: Whose pipes are up.

        Raises:
            ConflictError: it drains already.
        """
        if self._began_s is not None:
            raise ConflictError("the node drains already", remedy="See how far: ei node status")
        self._began_s = self._quiet_since_s = self._left_since_s = now_s
        self._grace_s = grace_s
        self._ends_s = now_s + spread_s + grace_s
        self._peers = dict.fromkeys(peers, "untold")
        hosts = [peer for peer, kind in peers.items() if kind == "host"]
        gap_s = spread_s / max(1, len(hosts) - 1)
        self._tell_s = [(now_s + gap_s * place, host) for place, host in enumerate(hosts)]
        for peer, kind in peers.items():
            if kind == "node":
                self._tell(peer)
        self._tell_due(now_s)

    def step(self, now_s: float, *, carried: int, waiting: int) -> bool:
        """Tell whose turn it is; return whether the node may stop.

        Args:
            carried: Packets that have passed so far.
            waiting: Packets inside that have no fate yet, copies included.
        """
        if self._began_s is None or self._outcome is not None:
            return self._outcome is not None
        self._tell_due(now_s)
        if carried != self._carried or waiting:
            self._carried, self._quiet_since_s = carried, now_s
        self._waiting = waiting
        using = [peer for peer, state in self._peers.items() if state != "moved"]
        if using:
            self._left_since_s = now_s
        # Who has moved may still insist on this node for one thing or another: not for long.
        is_quiet = now_s - self._quiet_since_s >= QUIET_S
        is_left = not waiting and now_s - self._left_since_s >= INSISTING_S
        if ((is_quiet or is_left) and not using) or now_s >= self._ends_s:
            moved = len(self._peers) - len(using)
            took_s = round(now_s - self._began_s, 3)
            self._outcome = Drained(moved, tuple(using), waiting, took_s)
        return self._outcome is not None

    # -- what happens -----------------------------------------------------------------------------

    def take(self, peer: Address, message: DrainingMessage | Moved) -> None:
        """Take what a peer says."""
        match message:
            case DrainingMessage():
                self._avoided.add(peer)
                self._control.set_peer_avoided(peer, is_avoided=True)
                self._send(peer, Moved())
            case Moved():
                if peer in self._peers:
                    self._peers[peer] = "moved"

    def take_move(self, peer: Address, *, is_up: bool) -> None:
        """Take note of a pipe: who comes while this node drains is told; who is gone has left."""
        self._avoided.discard(peer)
        if self._began_s is None:
            return
        if is_up:
            self._tell(peer)
        else:
            _ = self._peers.pop(peer, None)

    # -- parts ------------------------------------------------------------------------------------

    def _tell_due(self, now_s: float) -> None:
        while self._tell_s and self._tell_s[0][0] <= now_s:
            _, peer = self._tell_s.pop(0)
            if self._peers.get(peer) == "untold":
                self._tell(peer)

    def _tell(self, peer: Address) -> None:
        self._peers[peer] = "told"
        self._send(peer, DrainingMessage(round(self._grace_s * 1e3)))

    def _send(self, peer: Address, message: DrainingMessage | Moved) -> None:
        # A pipe that takes no message any more is not waited for longer than the grace.
        with suppress(ValueError):
            self._control.send_control(peer, ATTACHMENT, encode(message))
