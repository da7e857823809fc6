"""What a node says of the streams of its services."""

from collections.abc import Iterable, Mapping

import msgspec

from ei.node.internet import line_for
from ei.sdk.manifest import Manifest

STREAM_REASONS = {
    "ended": "Both directions came to their end: all is well.",
    "closed": "The service closed it, or one of its events came to nothing.",
    "reset": "The other end gave it up in its middle.",
    "refused": "The other end takes no stream there.",
    "unreachable": "There is no way to the other end, or its name has no address.",
    "not_allowed": "No rule of [internet] allows its address; ei node status shows one that would.",
    "deadline": "It was not open in time, or nothing came or went for too long.",
    "stream_overrun": "The service wrote more than the window that it was told of.",
    "lost": "The connection under it broke, or the worker of its service died.",
    "too_many_streams": "The node, or one peer, has as many streams or handshakes as it may; or its"
    " memory was needed for the newest of another.",
    "too_late": "What a stream that takes the place of a lost one misses is not kept any more.",
    "bad_tls": "Its other end broke the rules of TLS, or did not agree to the site's.",
}
"""Why a stream of a service ended, and what happened."""


class ServiceStreams(msgspec.Struct, frozen=True):
    """The streams of one service: `open` now, and how many were `opened` so far."""

    open: int = 0
    opened: int = 0


class NotAllowed(msgspec.Struct, frozen=True):
    """A target in the legacy Internet that no rule allows.

    Attributes:
        host: As a service asked for it.
        address: That it was resolved to.
        count: How often.
        allow: The line of node.toml that would allow it.
    """

    host: str
    address: str
    port: int
    count: int
    allow: str


class StreamCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Streams as the datapath counts them.

    Attributes:
        open, opened, refused: Now, so far, and not opened at all.
        pipe_full: Connections and streams of anonymous services that were not let in, since what
            has come by the same pipe has as much as is left.
        crowded_out: Streams and connections that were closed to make room for the newest.
        forgotten_bytes: Kept to be resumed, and given up for their memory.
        closed: So far, by reason.
        read_bytes, written_bytes: That came from other ends, and that went to them.
        spliced_bytes: Of those, what no service saw.
        buffered_bytes: On their way through this node.
        connections: Of QUIC, to hosts and nodes.
        queue_overflows: Datagrams that found the queue of the streams full.
    """

    open: int = 0
    opened: int = 0
    refused: int = 0
    pipe_full: int = 0
    crowded_out: int = 0
    forgotten_bytes: int = 0
    closed: dict[str, int] = {}
    read_bytes: int = 0
    written_bytes: int = 0
    spliced_bytes: int = 0
    buffered_bytes: int = 0
    connections: int = 0
    queue_overflows: int = 0


class StreamStatus(StreamCounts, frozen=True, kw_only=True):
    """Streams as a node shows them.

    Attributes:
        services: By name of the service.
        not_allowed: The newest targets that were refused, at most 16.
    """

    services: dict[str, ServiceStreams] = {}
    not_allowed: tuple[NotAllowed, ...] = ()


class _Counted(StreamCounts, frozen=True, kw_only=True):
    services: dict[int, ServiceStreams] = {}
    not_allowed: tuple[tuple[str, str, int, int], ...] = ()


def stream_status(
    statistics: object, *, manifests: Iterable[Manifest], allow: tuple[str, ...]
) -> StreamStatus:
    """Join what the datapath counts of streams with names and rules.

    Args:
        statistics: The datapath's `streams`.
        manifests: Of the services that run here.
        allow: The rules of `[internet]`.
    """
    counted = msgspec.convert(statistics, _Counted)
    counts: Mapping[str, object] = {
        field.name: getattr(counted, field.name) for field in msgspec.structs.fields(StreamCounts)
    }
    return msgspec.convert(
        {
            **counts,
            "services": {
                manifest.name: counted.services.get(manifest.id, ServiceStreams())
                for manifest in manifests
                if "streams" in manifest.capabilities
            },
            "not_allowed": tuple(
                NotAllowed(host, address, port, count, line_for(address, port, allow))
                for host, address, port, count in counted.not_allowed
            ),
        },
        StreamStatus,
    )
