"""The trees that this node is on: soft state in the ephemeral store.

A tree is named by 32 bytes: its group, and the node at its root, where packets enter it. A node has
one parent on it, from which alone it takes them, and branches, to which it copies them.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice

from ei.sdk import Address, Corner, Tables

GROUP_BYTES = 16
TREE_BYTES = 32


def group_of(tree: bytes) -> bytes:
    """Return the group of a tree."""
    return tree[:GROUP_BYTES]


def root_of(tree: bytes) -> Address:
    """Return the node at which packets enter a tree."""
    return Address(tree[GROUP_BYTES:])


def rank(tree: bytes, node: Address) -> bytes:
    """Return the rank of a node of a domain: the highest brings the tree into the domain.

    All nodes of a domain agree on it without talking, and trees spread over the nodes; D. Thaler
    and C. Ravishankar, Using name-based mappings to increase hit rates, 1998.
    """
    return blake2b(tree + node, digest_size=8).digest()


class Trees(Tables):
    """Parents and branches by tree.

    Args:
        store: The ephemeral store.
    """

    __slots__ = ()

    _branches = Corner("branches", float)
    _parents = Corner("parents", bytes)
    _declined = Corner("declined", bool)
    _streams = Corner("streams", bytes)
    _asked = Corner("asked", bool)
    _new = Corner("new", bool)
    _nodes = Corner("nodes", bool)
    _kept = Corner("kept", bool)
    _repairs = Corner("repairs", int)
    _records = Corner("records", bytes)
    _told = Corner("told", float)

    def begin(self, *, ttl_s: float) -> None:
        """Note that all before is forgotten, for so long."""
        self._new.put(b"", True, ttl_s=ttl_s)  # noqa: FBT003 a mark

    def is_new(self) -> bool:
        """Whether all was forgotten a moment ago."""
        return self._new.get(b"") is not None

    def prove_node(self, peer: Address, *, ttl_s: float) -> bool:
        """Note that a peer is a node; return whether that is new."""
        is_new = self._nodes.get(peer) is None
        self._nodes.put(peer, True, ttl_s=ttl_s)  # noqa: FBT003 a mark
        return is_new

    def is_node(self, peer: Address) -> bool:
        """Whether a peer has shown that it is a node."""
        return self._nodes.get(peer) is not None

    # -- up ---------------------------------------------------------------------------------------

    def parent(self, tree: bytes) -> Address | None:
        """Return the node from which the tree comes."""
        parent = self._parents.get(tree)
        return None if parent is None else Address(parent)

    def set_parent(self, tree: bytes, parent: Address | None) -> None:
        """Note the node from which the tree comes from now on."""
        if parent is None:
            self._parents.delete(tree)
        else:
            self._parents.put(tree, parent)

    def with_parents(self, group: bytes) -> Iterator[bytes]:
        """Yield the trees of a group that come from somewhere."""
        for tree, _ in self._parents.scan(group):
            yield tree

    def tell_s(self, group: bytes) -> float:
        """Return when all parents of a group are to be told again; 0 when they never were."""
        return self._told.get(group) or 0.0

    def tell_at(self, group: bytes, at_s: float, *, ttl_s: float) -> None:
        """Note when all parents of a group are to be told again."""
        self._told.put(group, at_s, ttl_s=ttl_s)

    def tell_never(self, group: bytes) -> None:
        """Note that there is nothing to tell of a group any more."""
        self._told.delete(group)

    def decline(self, tree: bytes, node: Address, *, ttl_s: float) -> None:
        """Note that a node does not bring the tree."""
        self._declined.put(tree + node, True, ttl_s=ttl_s)  # noqa: FBT003 a mark

    def has_declined(self, tree: bytes, node: Address) -> bool:
        """Whether a node has said lately that it does not bring the tree."""
        return self._declined.get(tree + node) is not None

    # -- down -------------------------------------------------------------------------------------

    def branches(self, tree: bytes) -> Iterator[tuple[Address, float]]:
        """Yield the nodes to which the tree goes on, and until when unless it is repeated."""
        for key, expires_s in self._branches.scan(tree):
            yield Address(key[TREE_BYTES:]), expires_s

    def has_branch(self, tree: bytes, node: Address) -> bool:
        """Whether the tree goes on to a node."""
        return self._branches.get(tree + node) is not None

    def add_branch(self, tree: bytes, node: Address, *, expires_s: float, ttl_s: float) -> None:
        """Let the tree go on to a node, or note that it still does."""
        self._branches.put(tree + node, expires_s, ttl_s=ttl_s)

    def remove_branch(self, tree: bytes, node: Address) -> None:
        """End a branch."""
        self._branches.delete(tree + node)

    def count_branches(self, tree: bytes, most: int) -> int:
        """Return how many branches the tree has here, counted up to `most`."""
        return sum(1 for _ in islice(self.branches(tree), most))

    def with_branches(self, group: bytes) -> list[bytes]:
        """Return the trees of a group that go on to other nodes."""
        return list(dict.fromkeys(key[:TREE_BYTES] for key, _ in self._branches.scan(group)))

    def has_changed(self, group: bytes, record: bytes, *, ttl_s: float) -> bool:
        """Note what is said of a group; return whether something else was said before."""
        digest = blake2b(record, digest_size=16).digest()
        before = self._records.get(group)
        self._records.put(group, digest, ttl_s=ttl_s)
        return before not in (None, digest)

    # -- who sends --------------------------------------------------------------------------------

    def note_stream(self, group: bytes, source: Address, root: Address, *, ttl_s: float) -> None:
        """Note by which tree the packets of a source come."""
        self._streams.put(group + source, root, ttl_s=ttl_s)

    def tree_of(self, group: bytes, source: Address) -> bytes | None:
        """Return the tree by which the packets of a source come."""
        root = self._streams.get(group + source)
        return None if root is None else group + root

    # -- repairs ----------------------------------------------------------------------------------

    def keeps(self, history: bytes, most: int, *, ttl_s: float) -> bool:
        """Whether a history is one of the first so many of its sender, in so long a time."""
        if self._kept.get(history) is None:
            of_sender = self._kept.scan(history[:TREE_BYTES])
            if sum(1 for _ in islice(of_sender, most)) == most:
                return False
        self._kept.put(history, True, ttl_s=ttl_s)  # noqa: FBT003 a mark
        return True

    def spend(self, peer: Address, count: int, most: int, *, now_s: float) -> bool:
        """Let a peer have so many packets again, within what it may have in this second."""
        second = peer + int(now_s).to_bytes(8, "big")
        spent = (self._repairs.get(second) or 0) + count
        if spent > most:
            return False
        self._repairs.put(second, spent, ttl_s=2.0)
        return True

    def ask(self, name: bytes, *, ttl_s: float) -> bool:
        """Note that a packet, or a record, was asked for; return whether that is new."""
        is_first = self._asked.get(name) is None
        if is_first:
            self._asked.put(name, True, ttl_s=ttl_s)  # noqa: FBT003 a mark
        return is_first
