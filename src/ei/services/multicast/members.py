"""Who belongs to which group, as this node knows it: soft state in the ephemeral store."""

from collections.abc import Iterator
from itertools import islice

import msgspec

from ei.sdk import Address, Store, Table

ADDRESS_BYTES = 16


class Member(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A peer that gets a copy.

    Attributes:
        is_node: It has members of its own.
        expires_s: When the membership ends, unless it is repeated.
        is_known: The group's record allows it; without that it gets none.
    """

    is_node: bool
    expires_s: float
    is_known: bool = True


class Members:
    """Members by group, and by peer the groups that depend on it.

    A group depends on its members and on its rendezvous: when such a peer comes or goes, what was
    decided for the group is no longer right.

    Args:
        store: The ephemeral store.
    """

    __slots__ = ("_dependents", "_members", "_rendezvous")

    def __init__(self, store: Store) -> None:
        self._members = Table(store, "members", of=Member)
        self._dependents = Table(store, "dependents", of=bool)
        self._rendezvous = Table(store, "rendezvous", of=tuple[Address, ...])

    def of_group(self, group: bytes) -> Iterator[tuple[Address, Member]]:
        """Yield the members in the order of their addresses."""
        for key, member in self._members.scan(group):
            yield Address(key[ADDRESS_BYTES:]), member

    def has_hosts(self, group: bytes) -> bool:
        """Whether a host that is attached here belongs to the group."""
        return any(not member.is_node for _, member in self.of_group(group))

    def find(self, group: bytes, peer: Address) -> Member | None:
        """Return the membership of a peer."""
        return self._members.get(group + peer)

    def is_member(self, group: bytes, peer: Address) -> bool:
        """Whether the peer gets copies already."""
        return self._members.get(group + peer) is not None

    def add(self, group: bytes, peer: Address, member: Member, *, ttl_s: float) -> None:
        """Note a membership, or that it goes on."""
        self._members.put(group + peer, member, ttl_s=ttl_s)
        self.depend(group, peer, ttl_s=ttl_s)

    def remove(self, group: bytes, peer: Address) -> None:
        """End a membership."""
        self._members.delete(group + peer)

    def depend(self, group: bytes, peer: Address, *, ttl_s: float) -> None:
        """Note that what is decided for the group depends on the peer."""
        self._dependents.put(peer + group, True, ttl_s=ttl_s)  # noqa: FBT003 a mark

    def take_dependents(self, peer: Address, most: int) -> list[bytes]:
        """Forget and return at most so many groups that depend on the peer."""
        found = list(islice(self._dependents.scan(peer), most))
        for key, _ in found:
            self._dependents.delete(key)
        return [key[ADDRESS_BYTES:] for key, _ in found]

    def count_groups(self, peer: Address, most: int) -> int:
        """Return how many groups depend on the peer, counted up to `most`."""
        return sum(1 for _ in islice(self._dependents.scan(peer), most))

    def count_members(self, group: bytes, most: int) -> int:
        """Return how many members the group has, counted up to `most`."""
        return sum(1 for _ in islice(self.of_group(group), most))

    def rendezvous(self, group: bytes) -> tuple[Address, ...]:
        """Return the group's rendezvous as last noted."""
        return self._rendezvous.get(group) or ()

    def set_rendezvous(self, group: bytes, nodes: tuple[Address, ...], *, ttl_s: float) -> None:
        """Note the group's rendezvous: what is decided for it depends on each of them."""
        self._rendezvous.put(group, nodes, ttl_s=ttl_s)
        for node in nodes:
            self.depend(group, node, ttl_s=ttl_s)
