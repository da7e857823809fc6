"""A lab of real nodes as scenarios see it: nodes are daemons, hosts live in this program."""

import asyncio
import os
import resource
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

import msgspec

from ei.daemons.client import ask
from ei.errors import LocalError, NotFoundError
from ei.host.client import Host
from ei.host.connect import connect
from ei.lab.census import marked_processes, session_of
from ei.lab.daemon_files import HOST_FILE
from ei.lab.fleet import DaemonState
from ei.lab.lab import Backend, RealBackend
from ei.lab.layout import Relay
from ei.lab.load import attach_fully, until
from ei.lab.namespaces import inside
from ei.lab.processes import Progress, ask_lab, start_lab, stop_lab
from ei.lab.run_folder import Daemon, LabFile, run_folder
from ei.lab.topology import Impairment, Topology
from ei.node.admin import RunningStatus
from ei.node.routes import RoutesAnswer
from ei.node.status import NodeStatus
from ei.records.key_files import read_keys
from ei.records.keys import Keys

ASK_LIMIT_S = 5.0


class ProcessLab:
    """A lab private to this program: it ends with it, however that ends.

    Args:
        topology: What to run.
        seed: Of what the links do.
        backend: Where its nodes run, and its hosts have their sockets.
        environ: Where files go.
        on_progress: Gets the name of each node that became ready.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        seed: int,
        backend: RealBackend = "processes",
        environ: Mapping[str, str] = os.environ,
        on_progress: Progress = str,
    ) -> None:
        self._topology = topology
        self._seed = seed
        self._backend: RealBackend = backend
        self._environ = environ
        self._on_progress = on_progress
        self._name = f"run-{os.getpid()}"
        self._lab: LabFile | None = None
        self._tie = ExitStack()
        self._hosts: dict[str, Host] = {}

    # -- life -------------------------------------------------------------------------------------

    async def open(self, *, deadline_s: float = 10.0) -> None:
        """Start every node, then every host; return when all hosts are attached.

        Raises:
            EiError: as `start_lab`, or a host found no node.
        """
        # The lab goes down when the first of these is closed; both stay open until it did.
        _, owner = [self._tie.enter_context(end) for end in socket.socketpair()]
        self._lab = await asyncio.to_thread(
            start_lab,
            self._topology,
            name=self._name,
            seed=self._seed,
            backend=self._backend,
            environ=self._environ,
            has_host_daemons=False,
            owner=owner,
            on_progress=self._on_progress,
        )
        folder = run_folder(self._name, self._environ)
        namespaces = await self.namespaces()
        for name in self._topology.hosts:
            with inside(namespaces[name]) if namespaces else nullcontext():
                self._hosts[name] = connect(folder.folder_of(name) / HOST_FILE)
        async with asyncio.TaskGroup() as group:
            for host in self._hosts.values():
                _ = group.create_task(attach_fully(host, deadline_s=deadline_s))

    async def close(self) -> None:
        """End every host and node. Idempotent."""
        for host in self._hosts.values():
            host.close()
        with self._tie:
            _ = await asyncio.to_thread(stop_lab, name=self._name, environ=self._environ)

    # -- what a scenario sees ---------------------------------------------------------------------

    @property
    def backend(self) -> Backend:
        """`processes` or `netns`."""
        return self._backend

    @property
    def seed(self) -> int:
        """Of what the links do."""
        return self._seed

    @property
    def topology(self) -> Topology:
        """What it was made from."""
        return self._topology

    @property
    def hosts(self) -> Mapping[str, Host]:
        """All hosts by full name."""
        return self._hosts

    def host(self, name: str) -> Host:
        """Return one host."""
        return self._hosts[self._topology.find(name)]

    def now_s(self) -> float:
        """Monotonic time."""
        return asyncio.get_running_loop().time()

    def unix_s(self) -> float:
        """Wall clock."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Let the lab run."""
        await asyncio.sleep(seconds)

    async def node_status(self, name: str) -> NodeStatus:
        """Return what a node says of itself."""
        answer = await self._ask_node(name, "status")
        return msgspec.convert(answer["node"], NodeStatus)

    async def statistics(self, name: str) -> Mapping[str, object]:
        """Return the counters of a node's datapath."""
        answer = await self._ask_node(name, "statistics")
        return msgspec.convert(answer["statistics"], dict[str, object])

    async def routes(self, name: str) -> RoutesAnswer:
        """Return the routes of a node, and what it has refused."""
        return msgspec.convert(await self._ask_node(name, "routes"), RoutesAnswer)

    async def pids(self) -> dict[str, int]:
        """Return the process ids of the daemons that run, each the leader of its session."""
        return {each.name: each.pid for each in await self._daemons() if each.pid}

    async def processes(self, name: str) -> tuple[int, ...]:
        """Return the process ids of a node: of its daemon, then of its workers."""
        if self._lab is None:
            return ()
        daemon = (await self.pids())[self._topology.find(name)]
        marked = await asyncio.to_thread(marked_processes, self._lab.run_id)
        return (daemon, *(pid for pid in marked if pid != daemon and session_of(pid) == daemon))

    # -- faults -----------------------------------------------------------------------------------

    async def kill(self, name: str) -> None:
        """Kill the daemon of a node; its workers follow by themselves."""
        _ = await self._ask_lab("kill", {"name": self._topology.find(name)})

    async def drain(self, name: str, *, grace_s: float = 10.0) -> int:
        """End a node without loss; return how many peers had not moved."""
        wanted = {"grace_s": grace_s}
        answer = await self._ask_node(name, "drain", wanted, deadline_s=grace_s + ASK_LIMIT_S)
        _ = await until(self, lambda: self._has_ended(name), limit_s=ASK_LIMIT_S)
        return len(msgspec.convert(answer["left"], list[str]))

    async def start(self, name: str) -> None:
        """Start a node that was killed, on the state that it left."""
        _ = await self._ask_lab("start", {"name": self._topology.find(name)})

    async def kill_worker(self, name: str, service: str) -> None:
        """Kill the worker process of one service of a node."""
        _ = await self._ask_node(name, "kill_worker", {"service": service})

    async def freeze(self, name: str) -> None:
        """Stop a node and its workers where they are."""
        _ = await self._ask_lab("freeze", {"name": self._topology.find(name)})

    async def thaw(self, name: str) -> None:
        """Let a frozen node go on."""
        _ = await self._ask_lab("thaw", {"name": self._topology.find(name)})

    def keys_of(self, name: str) -> Keys:
        """Return the keys of a node or host."""
        full = self._topology.find(name)
        return read_keys(run_folder(self._name, self._environ).folder_of(full) / "key")

    async def say(self, name: str, to: str, service: int, message: bytes) -> None:
        """Let a node send a control message that its program did not make."""
        wanted = {"to": self._topology.find(to), "service": service, "message": message.hex()}
        _ = await self._ask_node(name, "say", wanted)

    async def impair(self, a: str, b: str, impairment: Impairment) -> None:
        """Give the link between two names these properties, both ways."""
        link = {"a": self._topology.find(a), "b": self._topology.find(b)}
        _ = await self._ask_lab("impair", link | {"impairment": msgspec.to_builtins(impairment)})

    async def cut(self, a: str, b: str) -> None:
        """Let nothing pass between two names."""
        await self.impair(a, b, Impairment(is_cut=True))

    async def heal(self, a: str, b: str) -> None:
        """Give the link between two names the properties of the topology again."""
        link = (self._topology.find(a), self._topology.find(b))
        await self.impair(*link, self._topology.impairment(*link))

    async def fill_disk(self, name: str) -> None:
        """Let the workers of a node write to no file any more, as on a full disk."""
        await self._limit_files(name, 0)

    async def free_disk(self, name: str) -> None:
        """Let them write again."""
        await self._limit_files(name, resource.RLIM_INFINITY)

    # -- what only real nodes have ----------------------------------------------------------------

    def folder(self, name: str) -> Path:
        """Return the folder with a node's files."""
        return Path(self._daemon(name).folder)

    def host_file(self, name: str) -> Path:
        """Return the `host.toml` of a host, with which it may come again."""
        full = self._topology.find(name)
        return run_folder(self._name, self._environ).folder_of(full) / HOST_FILE

    def endpoint(self, name: str) -> str:
        """Return where a node, or a member of etcd, answers."""
        return self._daemon(name).endpoint

    async def running_status(self, name: str) -> RunningStatus:
        """Return what a node's daemon says of itself and its cluster."""
        return msgspec.convert(await self._ask_node(name, "status"), RunningStatus)

    async def ask_node(
        self,
        name: str,
        verb: str,
        arguments: Mapping[str, object],
        *,
        deadline_s: float = ASK_LIMIT_S,
    ) -> dict[str, object]:
        """Ask a node on its admin socket."""
        return await self._ask_node(name, verb, arguments, deadline_s=deadline_s)

    @property
    def relays(self) -> Sequence[Relay]:
        """The links that it impairs, each with the endpoints that stand for its ends."""
        return () if self._lab is None else self._lab.relays

    @contextmanager
    def capture(self, path: Path) -> Generator[None]:
        """Not here: the relays do not show what they carry.

        Raises:
            LocalError: always.
        """
        raise LocalError(
            "real processes are not captured by the lab",
            remedy=f"Run it as a simulation, or as root: tcpdump -i lo -w {path} udp port 3535",
        )
        yield

    async def namespaces(self) -> dict[str, str]:
        """Return the network namespace of each node and host, for `ei.lab.namespaces.inside`.

        Empty where all are in the one of the machine.
        """
        if self._backend != "netns":
            return {}
        status = await self._ask_lab("status", {})
        return msgspec.convert(status["namespaces"], dict[str, str])

    # -- parts ------------------------------------------------------------------------------------

    async def _ask_lab(self, verb: str, arguments: Mapping[str, object]) -> dict[str, object]:
        return await asyncio.to_thread(
            ask_lab, verb, arguments, name=self._name, environ=self._environ
        )

    def _daemon(self, name: str) -> Daemon:
        full = self._topology.find(name)
        if self._lab is None or full not in self._lab.daemons:
            raise NotFoundError(f"{full} is no node of this lab")
        return self._lab.daemons[full]

    async def _limit_files(self, name: str, most_bytes: int) -> None:
        """Limit how long files may grow, for a node's workers and those that are to come."""
        for pid in (await self.processes(name))[1:]:
            with suppress(ProcessLookupError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                _ = resource.prlimit(pid, resource.RLIMIT_FSIZE, (most_bytes, hard))

    async def _has_ended(self, name: str) -> bool:
        full = self._topology.find(name)
        return any(each.name == full and each.state == "ended" for each in await self._daemons())

    async def _daemons(self) -> list[DaemonState]:
        status = await self._ask_lab("status", {})
        return msgspec.convert(status["daemons"], list[DaemonState])

    async def _ask_node(
        self,
        name: str,
        verb: str,
        arguments: Mapping[str, object] | None = None,
        *,
        deadline_s: float = ASK_LIMIT_S,
    ) -> dict[str, object]:
        path = Path(self._daemon(name).admin)
        return await asyncio.to_thread(ask, path, verb, arguments, deadline_s=deadline_s)
