"""The pipes of a host to its nodes: opened, called again, moved between, left. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ei._core import Datapath
from ei.attachment import ATTACHMENT, Draining, Explained, Moved, decode, encode
from ei.errors import ConfigError, PeerError
from ei.host.attachments import Attachments
from ei.host.events import AttachmentChanged, HostEvent
from ei.host.finding import is_stale, lost_keys
from ei.records.endpoints import first_reachable
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Told:
    """Whom an `Attaching` tells what happens.

    Attributes:
        emit: Gets each event.
        dropped: Counts what is dropped, by reason.
        moved: Called when packets take another node from now on.
        lost: Called when the pipe to a node went down.
        explained: Gets what a node says of a packet.
        greets: Returns what a node is told first when its pipe is up, if anything.
    """

    emit: Callable[[HostEvent], None]
    dropped: Counter[str]
    moved: Callable[[int], None]
    lost: Callable[[int, Address], None]
    explained: Callable[[Address, Explained], None]
    greets: Callable[[int, Address], bytes | None]


class Attaching:
    """Keeps a host attached.

    Args:
        datapath: Has the pipes.
        nodes: 1 to 8, the preferred first.
        records: Who they are; read at every use.
        unix_offset_ns: Wall clock minus monotonic time.
        revocation_limit_s: No node is called whose domain's list of revoked keys is older.
        told: Who hears of it.
    """

    def __init__(  # noqa: PLR0913 all that an attachment rests on
        self,
        datapath: Datapath,
        nodes: Sequence[Address],
        *,
        records: Callable[[], RecordSet],
        unix_offset_ns: int,
        revocation_limit_s: int,
        told: Told,
    ) -> None:
        self._datapath = datapath
        self._records = records
        self._unix_offset_ns = unix_offset_ns
        self._revocation_limit_s = revocation_limit_s
        self._told = told
        self._endpoint = ""
        self.attachments = Attachments(nodes)
        self._has_changed = False

    def start(self, now_ns: int, endpoint: str) -> None:
        """Know the nodes, and plan to call them; see `Stack.start`.

        Raises:
            ConfigError: no node has an endpoint that can be reached from `endpoint`.
        """
        self._endpoint = endpoint
        nodes = [self._records().nodes[node] for node in self.attachments.nodes]
        reached = [first_reachable(node.endpoints, own=(endpoint,)) for node in nodes]
        if not any(reached):
            seen = "; ".join(f"{node.name} at {', '.join(node.endpoints)}" for node in nodes)
            raise ConfigError(
                f"no node has an endpoint of the IP family of {endpoint}: {seen}",
                remedy='Bind the other family in host.toml: bind = "[::]:0" or "0.0.0.0:0"',
            )
        for node in self.attachments.nodes:
            self._know(node)
        self.attachments.call_all(now_ns)

    def update(self, now_ns: int, before: RecordSet) -> None:
        """Take note of new records: pipes with keys that count no more end."""
        records = self._records()
        lost = lost_keys(before.nodes, records.nodes)
        for node in self.attachments.nodes:
            if node in lost:
                self._datapath.remove_peer(now_ns, node)
                self.change(now_ns, node, is_up=False)
            if node in records.nodes and records.nodes[node] != before.nodes.get(node):
                self._know(node)

    def use(self, now_ns: int, nodes: Sequence[Address]) -> None:
        """Attach to other nodes; those left out are left once traffic has moved to one of these."""
        before = self.attachments.via
        for node in self.attachments.use(now_ns, nodes):
            self._know(node)
        self._follow(now_ns, before)

    def poll(self, now_ns: int) -> None:
        """Call the nodes that are to be called now, and move where it is time to."""
        before = self.attachments.via
        if self.attachments.move_due(now_ns):
            # Who keeps something at the node in use tells the next one, as after any move.
            self._told.emit(AttachmentChanged(self.attachments.via, is_up=True))
            self._follow(now_ns, before)
        for node in self.attachments.due(now_ns):
            if self._is_stale(now_ns, node):
                # Nor may it call here, as it may while the datapath knows it.
                self._datapath.remove_peer(now_ns, node)
                self._told.dropped["revocation_stale"] += 1
            elif node in self._records().nodes:
                self._know(node)
                self._datapath.dial(now_ns, node)

    def change(self, now_ns: int, node: Address, *, is_up: bool) -> None:
        """Take note of a pipe that came up or went down."""
        before = self.attachments.via
        if self.attachments.change(now_ns, node, is_up=is_up):
            if is_up and (greeting := self._told.greets(now_ns, node)) is not None:
                self._datapath.send_control(now_ns, node, ATTACHMENT, greeting)
            self._told.emit(AttachmentChanged(node, is_up))
            if not is_up:
                self._told.lost(now_ns, node)
            if not is_up and self._is_stale(now_ns, node):
                self._datapath.remove_peer(now_ns, node)
        self._follow(now_ns, before)

    def take_changed(self) -> bool:
        """Return whether other nodes are known, up or used than at the last call."""
        has_changed, self._has_changed = self._has_changed, False
        return has_changed

    def arrived(self, now_ns: int, node: Address, source: Address) -> None:
        """Take note of packets of another host: which of the nodes handed them over."""
        before = self.attachments.via
        self.attachments.hear(now_ns, node, source)
        if self.attachments.via != before:
            self._follow(now_ns, before)

    def hear(self, now_ns: int, node: Address, message: bytes) -> None:
        """Take what a node says for itself."""
        try:
            said = decode(message)
        except PeerError:
            self._told.dropped["bad_control"] += 1
            return
        if isinstance(said, Draining):
            self.attachments.leave(now_ns, node)
            self._follow(now_ns, self.attachments.via)
        elif isinstance(said, Explained):
            self._told.explained(node, said)

    def leave(self, now_ns: int) -> None:
        """Tell the nodes that this host goes: they need not find out by its silence."""
        for node in self.attachments.up:
            self._datapath.close_peer(now_ns, node)

    def _follow(self, now_ns: int, before: Address) -> None:
        """Let traffic move from the node that was used before; tell those that are left so."""
        self._has_changed = True
        if self.attachments.via != before:
            self._told.moved(now_ns)
        for node in self.attachments.take_left():
            self._datapath.send_control(now_ns, node, ATTACHMENT, encode(Moved()))
        for node in self.attachments.take_retired():
            self._datapath.close_peer(now_ns, node)
            self._datapath.remove_peer(now_ns, node)
            self._told.emit(AttachmentChanged(node, is_up=False))
            self._told.lost(now_ns, node)

    def _know(self, node: Address) -> None:
        record = self._records().nodes[node]
        at = first_reachable(record.endpoints, own=(self._endpoint,))
        self._datapath.add_peer(node, record.pipe_key, kind="node", endpoint=at)

    def _is_stale(self, now_ns: int, node: Address) -> bool:
        unix_s = (now_ns + self._unix_offset_ns) / NS_PER_S
        return is_stale(node, self._records(), unix_s=unix_s, limit_s=self._revocation_limit_s)
