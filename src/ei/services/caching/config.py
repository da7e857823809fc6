"""What an operator may set of a cache."""

from ipaddress import IPv6Address
from typing import Literal

import msgspec

from ei.sdk import Address


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes in bytes, times in seconds, and whom to trust.

    Attributes:
        nodes: Addresses of the nodes of the tier, this one included: each target is fetched by one
            of them. They believe each other about tenants and purges. Empty: this node alone.
        tenant: Who shares what is kept: the hosts of a `domain`, or nobody but the `host` itself.
        harmless_fields: Names of request fields, beside the usual ones, by which no origin answers
            differently, so that answers to requests with them may be kept for others.
        memory_bytes: Kept in memory.
        disk_bytes: Kept on disk.
        memory_object_bytes: A larger body is kept on disk from the start.
        disk_object_bytes: A larger body is not kept.
        aside_bytes: Bodies on their way, and those that left while they were read.
        connections_per_origin: Open at once; further requests wait.
        waiters: Requests that may wait for one answer.
        request_s: Until then the head of a request has come.
        idle_s: An idle connection is kept for so long, on either side.
        origin_s: Longest silence of an origin.
        stale_if_error_s: For how long after its freshness a response may be used when its origin
            fails, where neither side says otherwise.
        uncacheable_s: For how long requests do not wait for one another after an answer that
            could not be kept.
        purges: Remembered.
    """

    nodes: tuple[str, ...]
    tenant: Literal["domain", "host"]
    harmless_fields: tuple[str, ...]
    memory_bytes: int
    disk_bytes: int
    memory_object_bytes: int
    disk_object_bytes: int
    aside_bytes: int
    connections_per_origin: int
    waiters: int
    request_s: float
    idle_s: float
    origin_s: float
    stale_if_error_s: float
    uncacheable_s: float
    purges: int

    @property
    def tier(self) -> tuple[Address, ...]:
        """The addresses of `nodes`."""
        return tuple(Address(IPv6Address(node).packed) for node in self.nodes)
