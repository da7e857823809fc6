"""Relays of others run in the namespaces of a benchmark, and leave nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from ei.bench.network import Network, open_network
from ei.bench.tunnels import Relayed, answers, found, running_nebula, running_wireguard
from ei.errors import LocalError
from ei.lab.borrowed import find_program


def test_a_program_that_is_not_here_is_named() -> None:
    with pytest.raises(LocalError, match="no-such-program is not installed; make others"):
        _ = found("no-such-program")


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("program", "running"),
    [
        ("wireguard-go", running_wireguard),
        ("nebula", running_nebula),
        ("nebula-debian", partial(running_nebula, of="-debian")),
    ],
)
def test_both_ends_reach_each_other_by_the_relay(
    program: str,
    running: Callable[[Network, Path], AbstractContextManager[Relayed]],
    tmp_path: Path,
) -> None:
    if find_program(program) is None:
        pytest.skip(f"needs {program}; make others")
    with open_network() as network:
        if network.why_loopback:
            pytest.skip(network.why_loopback)
        # As relays do: long packets of the node alone end at the sink's device.
        network.spare_others()

        with running(network, tmp_path) as relayed:
            is_there = answers(network, relayed.ends[1])
            program_of_pid = Path(f"/proc/{relayed.pid}/comm").read_text().strip()

    assert is_there
    assert program_of_pid == program
    assert not Path(f"/proc/{relayed.pid}").exists()
