"""What a member of a cluster says of it: part of `ei node status`."""

import msgspec

from ei.cluster.keeper import Standing


class CopyStatus(msgspec.Struct, frozen=True):
    """How far a member's copy is, as the owner knows it."""

    member: str
    index: int
    is_lost: bool
    is_in_transfer: bool


class ReplicaStatus(msgspec.Struct, frozen=True):
    """A service whose state has copies.

    Attributes:
        owner: Name; empty while nobody is known to own it.
        in_sync: Names of those that have everything.
        standing: Of the replica here; `None` while none runs.
        copies: As the owner knows them; elsewhere empty.
    """

    service: str
    epoch: int
    owner: str
    in_sync: tuple[str, ...]
    standing: Standing | None
    copies: tuple[CopyStatus, ...]


class MemberStatus(msgspec.Struct, frozen=True):
    """One member: whether it leaves, its lease lives, and its pipe to this node is up."""

    name: str
    is_leaving: bool
    is_live: bool
    is_up: bool


class ClusterStatus(msgspec.Struct, frozen=True):
    """What a member knows of its cluster.

    Attributes:
        problem: Why etcd is not heard; empty when it is.
        dropped: Messages that did not count, by what was wrong.
    """

    name: str
    problem: str
    members: tuple[MemberStatus, ...]
    replicas: tuple[ReplicaStatus, ...]
    dropped: dict[str, int]
