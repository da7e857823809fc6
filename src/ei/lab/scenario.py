"""Finds, loads and runs scenarios: `async def run(lab) -> AsyncIterator[Promise]`.

A scenario that does not show all it can in a simulation says where it does, the preferred first:
`BACKENDS = ("netns", "processes")`. One that holds on a large simulation as well says what it
promises there, of what was measured: `def at_scale(scale) -> Iterator[Promise]`. One whose services
fail because that is what it shows says `FAILS_ON_PURPOSE = True`: of all others, packets that a
service failed at break a promise.
"""

import asyncio
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import msgspec

from ei.errors import ConfigError, EiError, LocalError, NotFoundError
from ei.lab.accounts import failures_of
from ei.lab.catalogue import SCENARIOS, find_scenarios
from ei.lab.clock import VirtualClock, run_virtual
from ei.lab.etcd import check_etcd
from ei.lab.lab import BACKENDS, Backend, Lab, RealBackend
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, Report, ended_by, first_cause, promise
from ei.lab.scale import Scale, measure_scale
from ei.lab.simulation import Simulation
from ei.lab.topology import Topology, suggestion
from ei.lab.topology_file import load_topology

Run = Callable[[Lab], AsyncGenerator[Promise]]
AtScale = Callable[[Scale], Iterable[Promise]]
OnPromise = Callable[[Promise], object]
OnStart = Callable[[Simulation, VirtualClock], object]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that can run.

    Attributes:
        name: By which it is found, or that of its folder.
        folder: Where its files are.
        summary: First line of its docstring.
        topology: Where it happens.
        run: What happens, and what it says of itself when it ends early.
        backends: Where it shows all it can, the preferred one first.
        at_scale: What it promises of a large simulation; `None` where it says nothing of one.
        fails_on_purpose: Whether its services are to fail.
    """

    name: str
    folder: Path
    summary: str
    topology: Topology
    run: Run
    backends: tuple[Backend, ...] = ("simulation",)
    at_scale: AtScale | None = None
    fails_on_purpose: bool = False


def load_scenario(place: str) -> Scenario:
    """Load a scenario by name, or from a folder with `scenario.py` and `topology.toml`.

    Raises:
        NotFoundError: there is none.
        ConfigError: its files are wrong.
    """
    known = find_scenarios()
    folder = known.get(place) or Path(place).resolve()
    if not (folder / "scenario.py").is_file():
        raise NotFoundError(
            f"no scenario {place!r}{suggestion(place, known)}",
            remedy="See what there is: ei lab examples; or name a folder with a scenario.py",
        )
    path = folder / "scenario.py"
    module = _import(path)
    run = getattr(module, "run", None)
    if not inspect.isasyncgenfunction(run):
        line = f":{run.__code__.co_firstlineno}" if inspect.isfunction(run) else ""
        raise ConfigError(f"{path}{line}: `async def run(lab)` that yields promises is missing")
    summary = (module.__doc__ or "").strip().partition("\n")[0]
    return Scenario(
        place if place in known else folder.name,
        folder,
        summary,
        load_topology(folder / "topology.toml"),
        _answerable(run, path),
        _backends(module, path),
        getattr(module, "at_scale", None),
        getattr(module, "FAILS_ON_PURPOSE", False),
    )


def _backends(module: ModuleType, path: Path) -> tuple[Backend, ...]:
    said: object = getattr(module, "BACKENDS", BACKENDS[:1])
    try:
        backends = msgspec.convert(said, tuple[Backend, ...])
    except msgspec.ValidationError:
        backends = ()
    if not backends:
        raise ConfigError(f"{path}: BACKENDS is {said!r}; a tuple of some of {BACKENDS} is allowed")
    return backends


def run_in_simulation(
    scenario: Scenario,
    *,
    seed: int,
    on_promise: OnPromise | None = None,
    capture: Path | None = None,
    on_start: OnStart | None = None,
) -> Report:
    """Run a scenario in virtual time.

    Args:
        on_start: Gets the lab before anything happens in it, in the task of the run.
        capture: Where to write all that crosses the underlay, as pcapng.

    Raises:
        ConfigError: it has a cluster, which takes a real etcd.
        SimulationStuckError: it waits for ever, or does not end.
    """
    if scenario.topology.etcd:
        check_etcd("simulation")

    async def program(clock: VirtualClock) -> Report:
        lab = Simulation(clock, scenario.topology, seed=seed)
        try:
            if on_start is not None:
                _ = on_start(lab, clock)
            await lab.open()
            with nullcontext() if capture is None else lab.capture(capture):
                promises = await _collect(_checked(scenario, lab), on_promise)
            digest = lab.digest()
        finally:
            lab.close()
        return Report(
            scenario=scenario.name,
            backend=lab.backend,
            seed=seed,
            digest=digest,
            promises=tuple(promises),
        )

    return run_virtual(program)


def run_at_scale(  # noqa: PLR0913 a run, and how large it is
    scenario: Scenario,
    *,
    nodes: int,
    hosts: int,
    processes: int,
    seed: int,
    on_promise: OnPromise | None = None,
    on_said: Callable[[str], object] = str,
) -> Report:
    """Simulate a large internet, and hold it against what a scenario promises of one.

    Args:
        nodes, hosts: How many, in place of those of the scenario's topology.
        processes: See `ei.lab.shares`.
        on_said: Gets a line for each phase.

    Raises:
        ConfigError: the scenario promises nothing; there are more processes than domains.
        LimitError: a lab has not so many endpoints.
    """
    if scenario.at_scale is None:
        raise ConfigError(
            f"{scenario.name} says nothing of large simulations: "
            f"`def at_scale(scale)` is missing in its scenario.py",
            remedy=f"ei lab run core --nodes {nodes} --hosts {hosts}",
        )
    scale = measure_scale(
        nodes=nodes, hosts=hosts, processes=processes, seed=seed, has_log=True, on_said=on_said
    )
    promises = tuple(scenario.at_scale(scale))
    for each in promises:
        if on_promise is not None:
            _ = on_promise(each)
    return Report(
        scenario=scenario.name,
        backend="simulation",
        seed=seed,
        digest=scale.digest,
        promises=promises,
    )


def run_in_processes(
    scenario: Scenario,
    *,
    seed: int,
    backend: RealBackend = "processes",
    on_promise: OnPromise | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Report:
    """Run a scenario with real daemons, over 127/8 or in namespaces; nothing is left of them.

    Raises:
        EiError: the lab could not be started.
    """

    async def program() -> Report:
        lab = ProcessLab(scenario.topology, seed=seed, backend=backend, environ=environ)
        try:
            await lab.open()
            promises = await _collect(_checked(scenario, lab), on_promise)
        finally:
            await lab.close()
        return Report(
            scenario=scenario.name,
            backend=lab.backend,
            seed=seed,
            digest=None,
            promises=tuple(promises),
        )

    return asyncio.run(program())


async def _checked(scenario: Scenario, lab: Lab) -> AsyncGenerator[Promise]:
    """Yield what a scenario does and, if services failed that are not to, that they did.

    A drop by a bug of a service looks like one that it meant, to who counts packets only.
    """
    async with aclosing(scenario.run(lab)) as promises:
        async for each in promises:
            yield each
    failures = await failures_of(lab) if not scenario.fails_on_purpose else None
    if failures:
        reasons = ", ".join(failures)
        name = f"packets that services failed at ({reasons}; see ei lab log)"
        yield promise(name, failures.total(), "==", 0, unit="packets")


async def _collect(run: AsyncGenerator[Promise], on_promise: OnPromise | None) -> list[Promise]:
    collected: list[Promise] = []
    async with aclosing(run) as promises:
        async for each in promises:
            collected.append(each)
            if on_promise is not None:
                _ = on_promise(each)
    return collected


def _import(path: Path) -> ModuleType:
    folder = path.parent
    is_ours = folder.parent == SCENARIOS
    name = f"ei.scenarios.{folder.name}.scenario" if is_ours else f"ei_scenario_{folder.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{_place(error, path)} cannot be imported: {_said(error)}") from error
    return module


def _answerable(run: Run, path: Path) -> Run:
    """Return `run` with what ends it early told.

    An error of ours is a broken promise; any other is the scenario's own, by file and line.
    """

    async def answerable(lab: Lab) -> AsyncGenerator[Promise]:
        try:
            async with aclosing(run(lab)) as promises:
                async for each in promises:
                    if not isinstance(each, Promise):  # pyright: ignore[reportUnnecessaryIsInstance]
                        # In there, so that it has the line.
                        _ = await promises.athrow(TypeError(f"{each!r} is no promise"))
                    yield each
        except (Exception, SystemExit) as error:
            cause = first_cause(error)
            if isinstance(cause, EiError):
                yield ended_by(cause, "the scenario")
                return
            raise LocalError(
                f"{_place(cause, path)}: {_said(cause)}",
                remedy="Correct the scenario there; if it is right, report this.",
            ) from error

    return answerable


def _place(error: BaseException, path: Path) -> str:
    """Return which line of a file led to an error, as `file:line`."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f"{path}:{lines[-1]}" if lines else str(path)


def _said(error: BaseException) -> str:
    """Return kind and message of an error, as Python shows them."""
    return traceback.format_exception_only(error)[-1].strip()
