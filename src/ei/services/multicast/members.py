"""Who belongs to which group, as this node knows it: soft state in the ephemeral store."""

from collections.abc import Iterator
from itertools import islice

import msgspec

from ei.sdk import Address, Corner, Tables

ADDRESS_BYTES = 16


class Member(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A host that is attached here and gets a copy.

    Attributes:
        expires_s: When the membership ends, unless it is repeated.
        is_known: The group's record allows it; without that it gets none.
    """

    expires_s: float
    is_known: bool = True


class Members(Tables):
    """Members by group, and the groups that depend on something that may change.

    A group depends on peers (its members, and the nodes that its trees go by), on the hosts that
    send to it, and on routes: when one of those changes, what was decided is no longer right.

    Args:
        store: The ephemeral store.
    """

    __slots__ = ()

    _members = Corner("members", Member)
    _dependents = Corner("dependents", bool)

    def of_group(self, group: bytes) -> Iterator[tuple[Address, Member]]:
        """Yield the members in the order of their addresses."""
        for key, member in self._members.scan(group):
            yield Address(key[ADDRESS_BYTES:]), member

    def is_empty(self, group: bytes) -> bool:
        """Whether no host that is attached here belongs to the group."""
        return next(self._members.scan(group), None) is None

    def find(self, group: bytes, host: Address) -> Member | None:
        """Return the membership of a host."""
        return self._members.get(group + host)

    def add(self, group: bytes, host: Address, member: Member, *, ttl_s: float) -> None:
        """Note a membership, or that it goes on."""
        self._members.put(group + host, member, ttl_s=ttl_s)
        self.depend(group, host, ttl_s=ttl_s)

    def remove(self, group: bytes, host: Address) -> None:
        """End a membership."""
        self._members.delete(group + host)

    def count_members(self, group: bytes, most: int) -> int:
        """Return how many members the group has, counted up to `most`."""
        return sum(1 for _ in islice(self.of_group(group), most))

    def depend(self, group: bytes, on: bytes, *, ttl_s: float) -> None:
        """Note that what is decided for the group depends on what these 16 bytes name."""
        self._dependents.put(on + group, True, ttl_s=ttl_s)  # noqa: FBT003 a mark

    def take_dependents(self, on: bytes, most: int) -> list[bytes]:
        """Forget and return at most so many groups that depend on it."""
        found = list(islice(self._dependents.scan(on), most))
        for key, _ in found:
            self._dependents.delete(key)
        return [key[ADDRESS_BYTES:] for key, _ in found]

    def count_groups(self, peer: Address, most: int) -> int:
        """Return how many groups depend on a peer, counted up to `most`."""
        return sum(1 for _ in islice(self._dependents.scan(peer), most))
