"""The nodes that a host is attached to: which is used now, and when to call one again."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ei.host.deadlines import earliest
from ei.sdk.packets import Address

REDIAL_S = 0.5
REDIAL_MAX_S = 30.0
NS_PER_S = 1_000_000_000
SILENT_NS = 150_000_000
"""Three heartbeats: so long nothing came by the node in use, while something comes by another."""
FOLLOW_NS = 5_000_000_000
"""Between two moves after what arrives: whatever others do, it costs no more."""
MAX_SOURCES = 1_024
MOVE_NS = 200_000_000
"""From the first packet by a new node until all follow: time for it to decide."""
MAX_TRIED = 4_096


@dataclass(slots=True)
class _Attachment:
    node: Address
    is_up: bool = False
    has_been_up: bool = False
    redial_ns: int | None = None
    """When to call again; `None` while the pipe is up."""
    failures: int = 0
    leaving: Literal["", "asked", "told"] = ""
    """Whether the node wants to be left, and was told that it is; until its pipe goes down."""
    is_retired: bool = False
    """The host wants to leave it: it is forgotten once another is used."""

    @property
    def is_staying(self) -> bool:
        """Whether it may be moved to."""
        return not self.leaving and not self.is_retired


@dataclass(slots=True)
class _Move:
    """A move to another node, at `at_ns`; `tried` is what was sent there already."""

    to: Address
    at_ns: int
    tried: set[tuple[int, bytes]]


class Attachments:
    """Keeps pipes to all nodes; traffic takes the preferred of those whose pipes are up.

    Args:
        nodes: 1 to 8, the preferred first.
    """

    def __init__(self, nodes: Sequence[Address]) -> None:
        self._attachments = {node: _Attachment(node) for node in nodes}
        self._via = nodes[0]
        self._heard_ns = 0
        self._followed_ns = -FOLLOW_NS
        self._came_by: OrderedDict[Address, Address] = OrderedDict()
        self._move: _Move | None = None

    @property
    def nodes(self) -> tuple[Address, ...]:
        """All nodes, the preferred first."""
        return tuple(self._attachments)

    @property
    def up(self) -> tuple[Address, ...]:
        """The nodes whose pipe is up, the preferred first."""
        return tuple(node for node, found in self._attachments.items() if found.is_up)

    @property
    def via(self) -> Address:
        """The node that packets are handed to now.

        The preferred one that is up, whichever answered first, until packets come by another (see
        `hear`). One that comes back is used again only when the present one goes down: a node that
        comes and goes would otherwise move all traffic each time.
        """
        return self._via

    def change(self, now_ns: int, node: Address, *, is_up: bool) -> bool:
        """Take note of a pipe that came up or went down; return whether `node` is one of ours."""
        attachment = self._attachments.get(node)
        if attachment is None:
            return False
        before = self._via
        attachment.is_up = is_up
        attachment.leaving = ""
        if is_up:
            attachment.redial_ns = None
            attachment.failures = 0
        else:
            self._plan_redial(now_ns, attachment)
        is_new = is_up and not attachment.has_been_up
        attachment.has_been_up |= is_up
        via = self._attachments[self._via]
        if via.is_up and via.leaving:
            self._plan_move(now_ns)
        elif not via.is_up or via.is_retired:
            self._via, self._move = self._best(), None
        elif is_new and self.nodes.index(node) < self.nodes.index(self._via):
            self._via = node
        if self._via != before or self._via == node:
            self._heard_ns = now_ns
        return True

    def hear(self, now_ns: int, node: Address, source: Address) -> None:
        """Take note of a packet of another host: traffic follows it to where the nodes send it.

        They hand a host's packets to its preferred node while that is up for them, and notice its
        death also when the host has nothing to send, whose own probes then find nothing missing.
        Who always came by another node says nothing; who came by the one in use, and does no more,
        says that it is not up for others.
        """
        before = self._came_by.pop(source, None)
        self._came_by[source] = node
        if len(self._came_by) > MAX_SOURCES:
            _ = self._came_by.popitem(last=False)
        if node == self._via:
            self._heard_ns = now_ns
            return
        attachment = self._attachments.get(node)
        if (
            before == self._via
            and attachment is not None
            and attachment.is_up
            and attachment.is_staying
            and now_ns - self._heard_ns >= SILENT_NS
            and now_ns - self._followed_ns >= FOLLOW_NS
        ):
            self._via, self._move = node, None
            self._heard_ns = self._followed_ns = now_ns

    def leave(self, now_ns: int, node: Address) -> None:
        """Move to another node as soon as there is one: this one will stop.

        For a moment only the first packet to each destination goes the new way, so that the node
        there knows it when the others follow.
        """
        attachment = self._attachments.get(node)
        if attachment is not None and attachment.is_up and not attachment.leaving:
            attachment.leaving = "asked"
            if node == self._via or self._move is not None:
                self._plan_move(now_ns)

    def via_for(self, service: int, metadata: bytes) -> Address:
        """Return the node that the next packet with this service and metadata is handed to."""
        move = self._move
        if move is None or (service, metadata) in move.tried or len(move.tried) >= MAX_TRIED:
            return self._via
        move.tried.add((service, metadata))
        return move.to

    def move_due(self, now_ns: int) -> bool:
        """Move all traffic when its time has come; return whether it has just moved."""
        if self._move is None or now_ns < self._move.at_ns:
            return False
        self._via, self._move, self._heard_ns = self._move.to, None, now_ns
        return True

    def use(self, now_ns: int, nodes: Sequence[Address]) -> list[Address]:
        """Attach to `nodes` from now on, the preferred first; return those that are new.

        Traffic stays where it is until one of them is up.
        """
        new = [node for node in nodes if node not in self._attachments]
        before = self._attachments
        kept = {node: before.get(node) or _Attachment(node, redial_ns=now_ns) for node in nodes}
        self._attachments = {**kept, **before}
        for node, attachment in self._attachments.items():
            attachment.is_retired = node not in kept
        if not self._attachments[self._via].is_staying:
            self._via, self._move = self._best(), None
        return new

    def take_retired(self) -> list[Address]:
        """Forget the nodes that `use` has left out and that are not used any more; return them."""
        retired = [
            node
            for node, attachment in self._attachments.items()
            if attachment.is_retired and node != self._via
        ]
        for node in retired:
            del self._attachments[node]
        return retired

    def take_left(self) -> list[Address]:
        """Return the nodes that want to be left and are not used any more, each once."""
        left = [
            attachment
            for node, attachment in self._attachments.items()
            if attachment.leaving == "asked" and node != self._via
        ]
        for attachment in left:
            attachment.leaving = "told"
        return [attachment.node for attachment in left]

    def due(self, now_ns: int) -> list[Address]:
        """Return the nodes to call now, and plan the call after this one."""
        due: list[Address] = []
        for attachment in self._attachments.values():
            if attachment.redial_ns is not None and attachment.redial_ns <= now_ns:
                due.append(attachment.node)
                self._plan_redial(now_ns, attachment)
        return due

    def call_all(self, now_ns: int) -> None:
        """Plan the first call to each node for now."""
        for attachment in self._attachments.values():
            attachment.redial_ns = now_ns

    def next_deadline_ns(self) -> int | None:
        """Return when `due` or `move_due` has something next; `None` for never."""
        calls = [attachment.redial_ns for attachment in self._attachments.values()]
        return earliest(*calls, None if self._move is None else self._move.at_ns)

    def _best(self) -> Address:
        """Return the preferred node that is up; one that wants to be left is the last resort."""
        up = self.up
        staying = [node for node in up if self._attachments[node].is_staying]
        if staying or self._via not in up:
            return (*staying, *up, *self.nodes)[0]
        return self._via

    def _plan_move(self, now_ns: int) -> None:
        to = self._best()
        if to == self._via:
            self._move = None
        elif self._move is None or self._move.to != to:
            self._move = _Move(to, now_ns + MOVE_NS, set())

    def _plan_redial(self, now_ns: int, attachment: _Attachment) -> None:
        wait_s = min(REDIAL_S * 2**attachment.failures, REDIAL_MAX_S)
        attachment.failures = min(attachment.failures + 1, 16)
        attachment.redial_ns = now_ns + int(wait_s * NS_PER_S)
