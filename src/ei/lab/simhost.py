"""The simulated underlay under an ordinary host: a `Transport` on a `Network`."""

from collections.abc import Callable
from random import Random

from ei._core import Datapath
from ei.errors import LocalError
from ei.host.client import Host
from ei.host.stack import Identity, Stack
from ei.lab.clock import VirtualClock
from ei.lab.eventlog import MAX_UNLOGGED, EventLog
from ei.lab.network import Network, Port
from ei.lab.population import Resident
from ei.lab.seeds import derive, derive_number
from ei.lab.simnode import World
from ei.records.record_set import RecordSet


class SimTransport:
    """Where one host touches the underlay.

    Args:
        clock: The time of the simulation.
        network: Carries its datagrams.
        name: Of the host.
        endpoint: Where it receives.
        unix_offset_ns: Wall clock minus virtual time.
        log: Gets the headers that the host's datapath opens.
    """

    def __init__(  # noqa: PLR0913 all that a host touches
        self,
        clock: VirtualClock,
        network: Network,
        name: str,
        endpoint: str,
        *,
        unix_offset_ns: int,
        log: EventLog | None = None,
    ) -> None:
        self._clock = clock
        self._network = network
        self._name = name
        self._endpoint = endpoint
        self._unix_offset_ns = unix_offset_ns
        self._log = log
        self._unlogged = 0
        self._port: Port | None = None
        self._datapath: Datapath | None = None
        self._on_received: Callable[[], None] = _nobody

    def now_ns(self) -> int:
        """Virtual time."""
        return self._clock.now_ns

    def unix_offset_ns(self) -> int:
        """Wall clock minus virtual time."""
        return self._unix_offset_ns

    @property
    def endpoint(self) -> str:
        """Where it receives."""
        return self._endpoint

    @property
    def overflows(self) -> int:
        """Return 0: nothing waits here."""
        return 0

    def open(self, datapath: Datapath, on_received: Callable[[], None]) -> None:
        """Receive from now on: datagrams go to `datapath` as they arrive."""
        self._datapath = datapath
        self._on_received = on_received
        self._port = self._network.attach(self._name, self._endpoint, self._arrive)

    def receive(self, datapath: Datapath, now_ns: int) -> int:
        """Return 0: what arrived was handed over already."""
        return 0

    def flush(self, datapath: Datapath) -> int:
        """Put all that `datapath` wants to send on its links."""
        if self._port is None:
            return 0
        return self._network.flush(self._port, datapath)

    def close(self) -> None:
        """Leave the underlay. Idempotent."""
        if self._port is not None:
            self._network.detach(self._name)
            self._port = None

    def flush_log(self) -> None:
        """Move what the datapath logged to the log of the run."""
        self._unlogged = 0
        if self._log is not None and self._datapath is not None:
            self._log.headers(self._name, self._datapath.take_log())

    def _arrive(self, now_ns: int, source: str, datagrams: list[bytes]) -> list[str]:
        datapath = self._datapath
        if datapath is None:
            raise LocalError(f"{self._name} receives before it is open")
        fates = [datapath.handle(now_ns, source, datagram) for datagram in datagrams]
        self._on_received()
        self._unlogged += len(datagrams)
        if self._unlogged > MAX_UNLOGGED:
            self.flush_log()
        return fates


def _nobody() -> None:
    raise LocalError("a transport that is not open received a datagram")


def make_host(
    world: World, resident: Resident, endpoint: str, records: RecordSet, *, seed: int
) -> tuple[Host, SimTransport]:
    """Return a host that is not attached yet, and where it touches the underlay."""
    stack = Stack(
        Identity(resident.name, resident.address, resident.keys),
        records,
        seed=derive(seed, "host", resident.name),
        numbers=Random(derive_number(seed, "numbers", resident.name)),
        unix_offset_ns=world.unix_offset_ns,
        has_log=world.log is not None,
    )
    transport = SimTransport(
        world.clock,
        world.network,
        resident.name,
        endpoint,
        unix_offset_ns=world.unix_offset_ns,
        log=world.log,
    )
    return Host(stack, transport), transport
