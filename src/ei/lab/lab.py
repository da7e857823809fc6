"""What a scenario holds: hosts, nodes, faults. The same for every backend."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

from ei.host.client import Host
from ei.lab.topology import Impairment, Topology
from ei.node.routes import RoutesAnswer
from ei.node.status import NodeStatus
from ei.records.keys import Keys

RealBackend = Literal["processes", "netns"]
REAL_BACKENDS: tuple[RealBackend, ...] = ("processes", "netns")
Backend = Literal["simulation"] | RealBackend
BACKENDS: tuple[Backend, ...] = ("simulation", *REAL_BACKENDS)


class Lab(Protocol):
    """A running lab. Names are full or, where unique, short; times are those of the lab's clock."""

    @property
    def backend(self) -> Backend:
        """How it runs: a scenario may only ask where a promise cannot be measured otherwise."""
        ...

    @property
    def seed(self) -> int:
        """Of all that is random in it."""
        ...

    @property
    def topology(self) -> Topology:
        """What it was made from."""
        ...

    @property
    def hosts(self) -> Mapping[str, Host]:
        """All hosts by full name, attached to their nodes."""
        ...

    def host(self, name: str) -> Host:
        """Return one host."""
        ...

    def now_s(self) -> float:
        """Monotonic time: virtual in simulation."""
        ...

    def unix_s(self) -> float:
        """Wall clock: what the nodes take it for."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let the lab run."""
        ...

    async def node_status(self, name: str) -> NodeStatus:
        """Return what a node says of itself."""
        ...

    async def statistics(self, name: str) -> Mapping[str, object]:
        """Return the counters of a node's datapath; see `ei._core.Datapath.statistics`."""
        ...

    async def routes(self, name: str) -> RoutesAnswer:
        """Return the routes of a node, and what it has refused."""
        ...

    async def kill(self, name: str) -> None:
        """End a node at once, as `kill -9` does; what it had not made stable is lost."""
        ...

    async def drain(self, name: str, *, grace_s: float = 10.0) -> int:
        """End a node without loss, as `ei node drain`; return how many peers had not moved."""
        ...

    async def start(self, name: str) -> None:
        """Start a node that has ended, on the state that it left."""
        ...

    async def kill_worker(self, name: str, service: str) -> None:
        """Kill the worker process of one service of a node."""
        ...

    async def freeze(self, name: str) -> None:
        """Stop a node and its workers where they are, as SIGSTOP does."""
        ...

    async def thaw(self, name: str) -> None:
        """Let it go on."""
        ...

    def keys_of(self, name: str) -> Keys:
        """Return the keys of a node or host: its own, and of somebody who broke into it."""
        ...

    async def say(self, name: str, to: str, service: int, message: bytes) -> None:
        """Let a node send a control message that its program did not make."""
        ...

    async def impair(self, a: str, b: str, impairment: Impairment) -> None:
        """Give the link between two names these properties, both ways."""
        ...

    async def cut(self, a: str, b: str) -> None:
        """Let nothing pass between two names."""
        ...

    async def heal(self, a: str, b: str) -> None:
        """Give the link between two names the properties of the topology again."""
        ...

    def capture(self, path: Path) -> AbstractContextManager[object]:
        """Write what crosses the underlay to a pcapng file while the context lasts."""
        ...
