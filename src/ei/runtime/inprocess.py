"""Several environments in one process: simulation, and small nodes that trust their services.

The semantics are those of workers: a service that cannot go on loses its worker, its waiting
packets and its ephemeral state, and is started again with back-off.
"""

import struct
from collections.abc import Mapping
from hashlib import blake2b
from math import ceil
from types import MappingProxyType
from typing import Protocol

from ei.errors import NotFoundError
from ei.runtime.backoff import Backoff
from ei.runtime.environment import Environment
from ei.runtime.limits import VirtualCost
from ei.runtime.loader import LoadedService
from ei.runtime.randomness import SEED_BYTES
from ei.runtime.statistics import EnvironmentStatistics
from ei.runtime.stores import MemoryStore, TransactionalStore
from ei.runtime.streamless import Streamless
from ei.sdk import Address

_NS_PER_S = 1_000_000_000
_STREAMS = 1
"""The origin of stream events; the datapath is origin 0."""


class EventSource(Protocol):
    """What is needed of a datapath."""

    def services_with_events(self) -> list[int]: ...
    def take_events(self, now_ns: int, unix_s: float, service: int) -> bytes | None: ...
    def put_effects(self, now_ns: int, service: int, batch: bytes) -> None: ...
    def lose_worker(self, now_ns: int, service: int) -> None: ...


class _Worker:
    """A service that runs, or waits to be started again."""

    def __init__(
        self, loaded: LoadedService, config: Mapping[str, object], stable: TransactionalStore
    ) -> None:
        self.loaded = loaded
        self.config = config
        self.stable = stable
        self.backoff = Backoff()
        self.environment: Environment | None = None
        self.streams = Streamless()
        self.start_s = 0.0
        self.starts = 0


class InProcess:
    """Runs the services of one node between calls.

    Args:
        node: Its address.
        seed: Of all `ctx.random` here, up to 64 bytes.
        cost: Virtual costs of events, for simulation.
    """

    def __init__(self, node: Address, *, seed: bytes, cost: VirtualCost | None = None) -> None:
        self._node = node
        self._seed = seed
        self._cost = cost
        self._workers: dict[int, _Worker] = {}

    def __repr__(self) -> str:
        return f"<InProcess {[worker.loaded.manifest.name for worker in self._workers.values()]}>"

    def add(
        self,
        loaded: LoadedService,
        *,
        config: Mapping[str, object] = MappingProxyType({}),
        stable: TransactionalStore | None = None,
    ) -> None:
        """Run a service from now on.

        Args:
            loaded: The service.
            config: Overrides of its manifest's defaults.
            stable: Its stable store, kept by the caller; `None` makes one in memory, which
                outlives the worker and dies with this object.

        Raises:
            ConfigError: The configuration does not fit.
        """
        _ = loaded.parse_config(config)
        if stable is None:
            stable = MemoryStore(limit_bytes=loaded.manifest.stable_bytes)
        self._workers[loaded.manifest.id] = _Worker(loaded, config, stable)

    def remove(self, service: int) -> None:
        """Stop running a service; no effect when it does not run."""
        _ = self._workers.pop(service, None)

    def pump(self, datapath: EventSource, now_ns: int, unix_s: float) -> int:
        """Let every service handle what waits for it, and what is due; return the batches handled.

        Raises:
            NotFoundError: The datapath has events for a service that does not run here.
        """
        handled = 0
        for service, worker in self._workers.items():
            self._start_if_due(service, worker, now_ns / _NS_PER_S)
            handled += self._fire(worker, datapath, service, now_ns, unix_s)
            handled += self._close_streams(worker, datapath, service, now_ns, unix_s)
        is_quiet = False
        while not is_quiet:
            is_quiet = True
            for service in datapath.services_with_events():
                if service not in self._workers:
                    raise NotFoundError(f"service {service} has events, but does not run here")
                done = self._drain(self._workers[service], datapath, service, now_ns, unix_s)
                is_quiet = is_quiet and not done
                handled += done
        return handled

    def next_deadline_ns(self) -> int | None:
        """Return when `pump` will have something to do by itself, `None` for never."""
        deadlines_s: list[float] = []
        for worker in self._workers.values():
            if worker.environment is None:
                deadlines_s.append(worker.start_s)
            else:
                both_s = worker.environment.next_deadline_s(), worker.streams.next_deadline_s()
                deadlines_s += (each_s for each_s in both_s if each_s is not None)
        return ceil(min(deadlines_s) * _NS_PER_S) if deadlines_s else None

    def kill(self, datapath: EventSource, now_ns: int, service: int) -> None:
        """Let the worker of a service die now; it starts again after its back-off.

        Raises:
            NotFoundError: The service does not run here.
        """
        if service not in self._workers:
            raise NotFoundError(f"service {service} does not run here")
        self._lose(self._workers[service], datapath, service, now_ns)

    def statistics(self) -> dict[int, EnvironmentStatistics]:
        """Return what each running service did, by number; those in back-off are left out."""
        return {
            service: worker.environment.statistics()
            for service, worker in self._workers.items()
            if worker.environment is not None
        }

    # -- the parts ------------------------------------------------------------------------------

    def _start_if_due(self, service: int, worker: _Worker, now_s: float) -> None:
        if worker.environment is None and worker.start_s <= now_s:
            worker.starts += 1
            worker.environment = Environment(
                worker.loaded,
                node=self._node,
                streams=_STREAMS,
                seed=_seed_of(self._seed, service, worker.starts),
                config=worker.config,
                stable=worker.stable,
                cost=self._cost,
            )
            worker.backoff.started(now_s)

    def _fire(
        self, worker: _Worker, datapath: EventSource, service: int, now_ns: int, unix_s: float
    ) -> int:
        fired = 0
        now_s = now_ns / _NS_PER_S
        while worker.environment is not None and worker.environment.is_due(now_s):
            try:
                reply = worker.environment.fire_due(now_s, unix_s)
            except SystemExit:
                self._lose(worker, datapath, service, now_ns)
                break
            fired += 1
            if reply is not None:
                self._put(worker, datapath, service, now_ns, reply)
            self._put_strays(worker, datapath, service, now_ns)
        return fired

    def _close_streams(
        self, worker: _Worker, datapath: EventSource, service: int, now_ns: int, unix_s: float
    ) -> int:
        handled = 0
        now_s = now_ns / _NS_PER_S
        while worker.environment is not None:
            batch = worker.streams.take_events(now_s, unix_s)
            if batch is None:
                break
            handled += 1
            try:
                reply = worker.environment.deliver_batch(batch, origin=_STREAMS)
            except SystemExit:
                self._lose(worker, datapath, service, now_ns)
                break
            worker.streams.put_effects(now_s, reply)
            self._put_strays(worker, datapath, service, now_ns)
        return handled

    def _drain(
        self, worker: _Worker, datapath: EventSource, service: int, now_ns: int, unix_s: float
    ) -> int:
        handled = 0
        while worker.environment is not None:
            batch = datapath.take_events(now_ns, unix_s, service)
            if batch is None:
                break
            try:
                reply = worker.environment.deliver_batch(batch)
            except SystemExit:
                # In a worker process this would end the process.
                self._lose(worker, datapath, service, now_ns)
                break
            handled += 1
            self._put(worker, datapath, service, now_ns, reply)
            self._put_strays(worker, datapath, service, now_ns)
        return handled

    def _put(
        self, worker: _Worker, datapath: EventSource, service: int, now_ns: int, reply: bytes
    ) -> None:
        try:
            datapath.put_effects(now_ns, service, reply)
        except ValueError:
            # The datapath does not understand it: it takes such a worker for lost, and so do we.
            self._lose(worker, datapath, service, now_ns)

    def _put_strays(
        self, worker: _Worker, datapath: EventSource, service: int, now_ns: int
    ) -> None:
        """Hand on what is not for whom the batch came from."""
        if worker.environment is None:
            return
        for origin, stray in worker.environment.take_strays():
            if origin == _STREAMS:
                worker.streams.put_effects(now_ns / _NS_PER_S, stray)
            else:
                self._put(worker, datapath, service, now_ns, stray)

    def _lose(self, worker: _Worker, datapath: EventSource, service: int, now_ns: int) -> None:
        worker.environment = None
        worker.streams = Streamless()
        worker.start_s = worker.backoff.died(now_ns / _NS_PER_S)
        datapath.lose_worker(now_ns, service)


def _seed_of(seed: bytes, service: int, start: int) -> bytes:
    return blake2b(struct.pack("<IQ", service, start), key=seed, digest_size=SEED_BYTES).digest()
