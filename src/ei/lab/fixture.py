"""For pytest: a private simulated lab in less than a second.

```python
from ei.lab.fixture import lab, topology  # in conftest.py


def test_bob_answers(lab):
    async def script(lab):
        assert await lab.host("alice").ping("bob.isp-b") < 0.1

    lab(script)
```
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from ei.lab.catalogue import find_topology
from ei.lab.clock import VirtualClock, run_virtual
from ei.lab.simulation import Simulation
from ei.lab.topology import Topology

ResultT = TypeVar("ResultT")
Script = Callable[[Simulation], Coroutine[Any, Any, ResultT]]


class LabRunner:
    """Runs a script in a lab of its own."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    def __call__(self, script: Script[ResultT], *, seed: int = 1) -> ResultT:
        """Run `script(lab)` and return what it returns."""
        return run_simulated(self._topology, script, seed=seed)


def run_simulated(topology: Topology, script: Script[ResultT], *, seed: int = 1) -> ResultT:
    """Run `script(lab)` in a simulation of `topology` and return what it returns."""

    async def program(clock: VirtualClock) -> ResultT:
        simulation = Simulation(clock, topology, seed=seed)
        await simulation.open()
        try:
            return await script(simulation)
        finally:
            simulation.close()

    return run_virtual(program)


@pytest.fixture
def topology() -> Topology:
    """The topology of `lab`; override it to have another."""
    return find_topology("threedomains")


@pytest.fixture
def lab(topology: Topology) -> LabRunner:
    """A private simulated lab."""
    return LabRunner(topology)
