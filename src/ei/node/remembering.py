"""A datapath control that does nothing but remember: for tests, and to check what is not run."""

from collections.abc import Sequence

from ei.node.datapath import Fail, Kind, Notice, Trace


class RememberingControl:
    """Keeps the commands in order; hands out the notices that a test puts in.

    Attributes:
        commands: (name, arguments) of each call.
        notices: Returned by the next `take_notices`.
        counted: Returned by `statistics`.
        traces: Returned by the next `take_traces`.
    """

    def __init__(self) -> None:
        self.commands: list[tuple[object, ...]] = []
        self.notices: list[Notice] = []
        self.counted: dict[str, object] = {}
        self.traces: list[Trace] = []

    def add_peer(
        self, address: bytes, public_key: bytes, *, kind: Kind, endpoint: str | None = None
    ) -> None:
        self.commands.append(("add_peer", address, public_key, kind, endpoint))

    def remove_peer(self, address: bytes) -> None:
        self.commands.append(("remove_peer", address))

    def dial(self, address: bytes) -> None:
        self.commands.append(("dial", address))

    def close_peer(self, address: bytes) -> None:
        self.commands.append(("close_peer", address))

    def send_control(self, peer: bytes, service: int, message: bytes) -> None:
        self.commands.append(("send_control", peer, service, message))

    def set_peer_avoided(self, address: bytes, *, is_avoided: bool) -> None:
        self.commands.append(("set_peer_avoided", address, is_avoided))

    def set_peer_carried(self, address: bytes, *, is_carried: bool) -> None:
        self.commands.append(("set_peer_carried", address, is_carried))

    def revoke_peer(self, address: bytes) -> None:
        self.commands.append(("revoke_peer", address))

    def set_fallback(self, service: int | None) -> None:
        self.commands.append(("set_fallback", service))

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
        self.commands.append(
            (
                "add_service", number, match_metadata, reads_payload, queue_packets, max_hops,
                max_objects, tuple(drop_reasons), tuple(counters), fail, streams,
                anonymous,
            )
        )  # fmt: skip

    def remove_service(self, number: int) -> None:
        self.commands.append(("remove_service", number))

    def set_chain(self, service: int, services: list[int]) -> None:
        self.commands.append(("set_chain", service, tuple(services)))

    def set_bundle(
        self,
        number: int,
        *,
        first: list[int],
        later: list[int],
        to_nodes: list[int],
        to_hosts: list[int],
    ) -> None:
        rows = (first, later, to_nodes, to_hosts)
        self.commands.append(("set_bundle", number, *map(tuple, rows)))

    def set_guards(self, host: bytes, services: list[int]) -> None:
        self.commands.append(("set_guards", host, tuple(services)))

    def resolved(self, service: int, query: bytes, record: bytes | None) -> None:
        self.commands.append(("resolved", service, query, record))

    def set_internet(self, internet: list[str]) -> None:
        self.commands.append(("set_internet", tuple(internet)))

    def set_stream_peer(self, address: bytes, identity_key: bytes | None) -> None:
        self.commands.append(("set_stream_peer", address, identity_key))

    def take_notices(self) -> Sequence[Notice]:
        notices, self.notices = self.notices, []
        return notices

    def statistics(self) -> dict[str, object]:
        return self.counted

    def take_traces(self) -> list[Trace]:
        traces, self.traces = self.traces, []
        return traces
