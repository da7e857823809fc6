"""A node of the scenario's own, with hundreds of hosts: what a lab would open, a crowd has here.

Its stores are on a disk that forgets what was not synced when the node is killed: see
`ei.lab.unsynced`.
"""

import asyncio
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from ei.daemons.client import ask
from ei.errors import DeadlineError, LocalError, UnreachableError
from ei.host.client import Host
from ei.host.connect import connect
from ei.lab.bare_hosts import HostOrder
from ei.lab.builder import TopologyBuilder
from ei.lab.daemon_files import HOST_FILE, NODE_FILE, write_daemon_files
from ei.lab.layout import Layout
from ei.lab.population import Population, populate
from ei.runtime.loader import load_service

NODE = "n.pubsub"
SERVICES = ("delivery", "pubsub")
HERE = "127.0.0.1"
START_LIMIT_S = 40.0
EVERY_S = 0.02


class _Worker(msgspec.Struct):
    pid: int


class Ground:
    """The node. Made by `grounded`."""

    def __init__(
        self, folder: Path, population: Population, endpoint: str, environ: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.environ = environ
        self._population = population
        self._endpoint = endpoint
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the node, whose session has all that it does."""
        if self._process is None:
            raise LocalError("the node was not started")
        return self._process.pid

    def order(self, name: str) -> HostOrder:
        """Return who a host of the crowd is."""
        # A node answers 20 handshakes a second of one address.
        place = list(self._population.residents).index(name)
        who, node = self._population.residents[name], self._population.residents[NODE]
        return HostOrder(
            address=who.address,
            pipe_secret=who.keys.pipe_secret,
            bind=f"127.0.{1 + place // 250}.{1 + place % 250}:0",
            node=node.address,
            node_key=node.keys.pipe_key,
            node_endpoint=self._endpoint,
        )

    def host(self, name: str) -> Host:
        """Return a host of this program, not attached yet."""
        return connect(self.folder / name / HOST_FILE)

    async def start(self, *, preloads: Mapping[str, str]) -> None:
        """Start the node, on the state that it left.

        Args:
            preloads: Added to its environment.

        Raises:
            LocalError: It ended; with what it said last.
            DeadlineError: It is not ready in time.
        """
        await asyncio.to_thread(self._spawn, {**self.environ, **preloads})
        try:
            async with asyncio.timeout(START_LIMIT_S):
                while True:
                    if await asyncio.to_thread(self._is_ready):
                        return
                    await asyncio.sleep(EVERY_S)
        except TimeoutError as error:
            raise DeadlineError(f"the node is not ready in {START_LIMIT_S:g} s") from error

    def kill(self) -> None:
        """End it at once, with all that it has not synced."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it. Idempotent."""
        self._end(signal.SIGTERM)

    def _spawn(self, environ: Mapping[str, str]) -> None:
        config = self.folder / NODE / NODE_FILE
        with (self.folder / "node.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ei", "node", "run", "--config", str(config)],
                env=environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            _ = self._process.wait()
            self._process = None

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            said = (self.folder / "node.log").read_text(errors="replace")[-400:]
            raise LocalError(f"the node ended: {said!r}")
        try:
            status = ask(self.folder / NODE / "admin.sock", "status")
        except (UnreachableError, DeadlineError):
            return False
        return all(each.pid for each in msgspec.convert(status["workers"], list[_Worker]))


@asynccontextmanager
async def grounded(
    hosts: list[str], environ: Mapping[str, str], *, unix_s: float
) -> AsyncGenerator[Ground]:
    """Write the files of a node and its hosts; nothing is left of either afterwards.

    Args:
        hosts: Their names, without the domain.
        environ: Of the node.
        unix_s: The wall clock.
    """
    folder = Path(tempfile.mkdtemp(prefix="ei-pubsub-"))
    builder = TopologyBuilder("pubsub")
    builder.domain("pubsub")
    builder.node(NODE, services=SERVICES)
    for name in hosts:
        builder.host(f"{name}.pubsub", nodes=[NODE])
    ground: Ground | None = None
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind((HERE, 0))
            endpoint = f"{HERE}:{unused.getsockname()[1]}"
        topology = builder.build()
        population = populate(
            topology,
            randomness=lambda _label: secrets.token_bytes(32),
            unix_s=int(unix_s),
        )
        endpoints = dict.fromkeys((plan.name for plan in topology.hosts.values()), f"{HERE}:0")
        _ = write_daemon_files(
            folder,
            population=population,
            layout=Layout({**endpoints, NODE: endpoint}, {}),
            service_numbers={name: load_service(name).manifest.id for name in SERVICES},
        )
        ground = Ground(folder, population, endpoint, environ)
        yield ground
    finally:
        if ground is not None:
            await asyncio.to_thread(ground.stop)
        shutil.rmtree(folder, ignore_errors=True)
