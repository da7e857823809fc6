"""What a node asks of its datapath, whichever it is."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from ei.bundles import Rows

if TYPE_CHECKING:
    from ei._core import Datapath

Notice = (
    tuple[Literal["peer_up", "peer_down"], bytes]
    | tuple[Literal["resolve"], int, bytes]
    | tuple[Literal["control"], bytes, int, bytes]
    | tuple[Literal["worker_lost", "worker_slow"], int]
    | tuple[Literal["stream_key_wanted"], bytes]
    | tuple[Literal["failed"], str]
)
Trace = tuple[int, bytes, int, int, str, str, int, list[int], bytes]
Kind = Literal["node", "host"]
Fail = Literal["closed", "open", "bypass"]


class DatapathControl(Protocol):
    """The control methods of `ei._core.Engine`; documented there, in `_core.pyi`."""

    def add_peer(
        self, address: bytes, public_key: bytes, *, kind: Kind, endpoint: str | None = None
    ) -> None: ...
    def remove_peer(self, address: bytes) -> None: ...
    def dial(self, address: bytes) -> None: ...
    def close_peer(self, address: bytes) -> None: ...
    def send_control(self, peer: bytes, service: int, message: bytes) -> None: ...
    def set_peer_avoided(self, address: bytes, *, is_avoided: bool) -> None: ...
    def set_peer_carried(self, address: bytes, *, is_carried: bool) -> None: ...
    def revoke_peer(self, address: bytes) -> None: ...
    def set_fallback(self, service: int | None) -> None: ...
    def add_service(  # noqa: PLR0913 one for each bound of a service
        self,
        number: int,
        *,
        match_metadata: int | None = None,
        reads_payload: bool = False,
        queue_packets: int = 1_024,
        max_hops: int = 1_024,
        max_objects: int = 65_536,
        drop_reasons: list[str] = ...,
        counters: list[str] = ...,
        fail: Fail = "closed",
        streams: bool = False,
        anonymous: bool = False,
    ) -> None: ...
    def remove_service(self, number: int) -> None: ...
    def set_chain(self, service: int, services: list[int]) -> None: ...
    def set_bundle(
        self,
        number: int,
        *,
        first: list[int],
        later: list[int],
        to_nodes: list[int],
        to_hosts: list[int],
    ) -> None: ...
    def set_guards(self, host: bytes, services: list[int]) -> None: ...
    def resolved(self, service: int, query: bytes, record: bytes | None) -> None: ...
    def set_internet(self, internet: list[str]) -> None: ...
    def set_stream_peer(self, address: bytes, identity_key: bytes | None) -> None: ...
    def take_notices(self) -> Sequence[Notice]: ...
    def statistics(self) -> dict[str, object]: ...
    def take_traces(self) -> list[Trace]: ...


def tell_bundle(datapath: DatapathControl, rows: Rows) -> None:
    """Tell a datapath what packets visit that name a bundle."""
    datapath.set_bundle(
        rows.bundle.id,
        first=list(rows.first),
        later=list(rows.later),
        to_nodes=list(rows.to_nodes),
        to_hosts=list(rows.to_hosts),
    )


def forget_bundle(datapath: DatapathControl, number: int) -> None:
    """Tell a datapath that a bundle is here no more: what was decided for it is void."""
    datapath.set_bundle(number, first=[], later=[], to_nodes=[], to_hosts=[])


class PureControl:
    """A `Datapath` as a `DatapathControl`: supplies the time that an `Engine` has of itself.

    Args:
        now_ns: Reads the clock of the simulation or test.
    """

    def __init__(self, datapath: "Datapath", now_ns: Callable[[], int]) -> None:
        self._datapath = datapath
        self._now_ns = now_ns

    def add_peer(
        self, address: bytes, public_key: bytes, *, kind: Kind, endpoint: str | None = None
    ) -> None:
        self._datapath.add_peer(address, public_key, kind=kind, endpoint=endpoint)

    def remove_peer(self, address: bytes) -> None:
        self._datapath.remove_peer(self._now_ns(), address)

    def dial(self, address: bytes) -> None:
        self._datapath.dial(self._now_ns(), address)

    def close_peer(self, address: bytes) -> None:
        self._datapath.close_peer(self._now_ns(), address)

    def send_control(self, peer: bytes, service: int, message: bytes) -> None:
        self._datapath.send_control(self._now_ns(), peer, service, message)

    def set_peer_avoided(self, address: bytes, *, is_avoided: bool) -> None:
        self._datapath.set_peer_avoided(address, is_avoided=is_avoided)

    def set_peer_carried(self, address: bytes, *, is_carried: bool) -> None:
        self._datapath.set_peer_carried(address, is_carried=is_carried)

    def revoke_peer(self, address: bytes) -> None:
        self._datapath.revoke_peer(address)

    def set_fallback(self, service: int | None) -> None:
        self._datapath.set_fallback(service)

    def add_service(  # noqa: PLR0913 as the native method
        self,
        number: int,
        *,
        match_metadata: int | None = None,
        reads_payload: bool = False,
        queue_packets: int = 1_024,
        max_hops: int = 1_024,
        max_objects: int = 65_536,
        drop_reasons: Sequence[str] = (),
        counters: Sequence[str] = (),
        fail: Fail = "closed",
        streams: bool = False,
        anonymous: bool = False,
    ) -> None:
        self._datapath.add_service(
            number,
            match_metadata=match_metadata,
            reads_payload=reads_payload,
            queue_packets=queue_packets,
            max_hops=max_hops,
            max_objects=max_objects,
            drop_reasons=list(drop_reasons),
            counters=list(counters),
            fail=fail,
            streams=streams,
            anonymous=anonymous,
        )

    def remove_service(self, number: int) -> None:
        self._datapath.remove_service(number)

    def set_chain(self, service: int, services: list[int]) -> None:
        self._datapath.set_chain(service, services)

    def set_bundle(
        self,
        number: int,
        *,
        first: list[int],
        later: list[int],
        to_nodes: list[int],
        to_hosts: list[int],
    ) -> None:
        self._datapath.set_bundle(
            number, first=first, later=later, to_nodes=to_nodes, to_hosts=to_hosts
        )

    def set_guards(self, host: bytes, services: list[int]) -> None:
        self._datapath.set_guards(host, services)

    def resolved(self, service: int, query: bytes, record: bytes | None) -> None:
        self._datapath.resolved(self._now_ns(), service, query, record)

    def set_internet(self, internet: list[str]) -> None:
        """Nothing: there is no legacy Internet in a simulation."""

    def set_stream_peer(self, address: bytes, identity_key: bytes | None) -> None:
        """Nothing: there are no streams."""

    def take_notices(self) -> Sequence[Notice]:
        return self._datapath.take_notices()

    def statistics(self) -> dict[str, object]:
        return self._datapath.statistics()

    def take_traces(self) -> list[Trace]:
        return self._datapath.take_traces()
