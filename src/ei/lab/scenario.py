"""Finds, loads and runs scenarios: `async def run(lab) -> AsyncIterator[Promise]`."""

import asyncio
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from ei.errors import ConfigError, EiError, NotFoundError
from ei.lab.catalogue import SCENARIOS, find_scenarios
from ei.lab.clock import VirtualClock, run_virtual
from ei.lab.lab import Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, Report, ended_by
from ei.lab.simulation import Simulation
from ei.lab.topology import Topology, suggestion
from ei.lab.topology_file import load_topology

Run = Callable[[Lab], AsyncIterator[Promise]]
OnPromise = Callable[[Promise], object]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that can run.

    Attributes:
        name: Of its folder.
        summary: First line of its docstring.
        topology: Where it happens.
        run: What happens.
    """

    name: str
    summary: str
    topology: Topology
    run: Run


def load_scenario(place: str) -> Scenario:
    """Load a scenario by name, or from a folder with `scenario.py` and `topology.toml`.

    Raises:
        NotFoundError: there is none.
        ConfigError: its files are wrong.
    """
    known = find_scenarios()
    folder = known.get(place) or Path(place).resolve()
    if not (folder / "scenario.py").is_file():
        raise NotFoundError(f"no scenario {place!r}{suggestion(place, known)}")
    module = _import(folder)
    run = getattr(module, "run", None)
    if run is None:
        raise ConfigError(f"{folder / 'scenario.py'}: async def run(lab) is missing")
    summary = (module.__doc__ or "").strip().partition("\n")[0]
    return Scenario(folder.name, summary, load_topology(folder / "topology.toml"), run)


def run_in_simulation(
    scenario: Scenario,
    *,
    seed: int,
    on_promise: OnPromise | None = None,
    capture: Path | None = None,
) -> Report:
    """Run a scenario in virtual time.

    Args:
        capture: Where to write all that crosses the underlay, as pcapng.

    Raises:
        SimulationStuckError: it waits for ever, or does not end.
    """

    async def program(clock: VirtualClock) -> Report:
        lab = Simulation(clock, scenario.topology, seed=seed)
        await lab.open()
        try:
            with nullcontext() if capture is None else lab.capture(capture):
                promises = await collect(scenario.run(lab), on_promise)
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


def run_in_processes(
    scenario: Scenario,
    *,
    seed: int,
    on_promise: OnPromise | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Report:
    """Run a scenario with real daemons over 127/8; nothing is left of them.

    Raises:
        EiError: the lab could not be started.
    """

    async def program() -> Report:
        lab = ProcessLab(scenario.topology, seed=seed, environ=environ)
        try:
            await lab.open()
            promises = await collect(scenario.run(lab), on_promise)
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


async def collect(
    promises: AsyncIterator[Promise], on_promise: OnPromise | None = None
) -> list[Promise]:
    """Return what a running scenario yields; an error of ours that ends it is a broken promise."""
    collected: list[Promise] = []
    try:
        async for each in promises:
            collected.append(each)
            if on_promise is not None:
                _ = on_promise(each)
    except (EiError, ExceptionGroup) as error:
        broken = ended_by(error, "the scenario")
        collected.append(broken)
        if on_promise is not None:
            _ = on_promise(broken)
    return collected


def _import(folder: Path) -> ModuleType:
    path = folder / "scenario.py"
    is_ours = folder.parent == SCENARIOS
    name = f"ei.scenarios.{folder.name}.scenario" if is_ours else f"ei_scenario_{folder.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{path} cannot be imported: {error!r}") from error
    return module
