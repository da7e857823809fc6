"""The scenario `pubsub`: every promise is kept by real processes, beside brokers that are here."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.scenarios.figures import broken

from ei.lab.borrowed import find_program
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Report
from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation
from ei.lab.topology_file import load_topology
from ei.scenarios.pubsub.kept import Kept, publish, read
from ei.services.pubsub.client import open_pubsub

CLUSTER = """\
version = 1
services = ["delivery", "reach", "pubsub"]

[domains.isp-a.cluster]
members = ["sn1", "sn2", "sn3"]
etcd = 3

[domains.isp-a.nodes.sn1]
[domains.isp-a.nodes.sn2]
[domains.isp-a.nodes.sn3]

[domains.isp-a.hosts.alice]
nodes = ["sn1", "sn2", "sn3"]
[domains.isp-a.hosts.bob]
nodes = ["sn2", "sn3", "sn1"]
"""
POLICY = 'policy = "lab-permissive"'

pytestmark = pytest.mark.slow


@pytest.mark.timeout(480)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    others: set[str] = set()

    def run() -> Report:
        report = run_in_processes(load_scenario("pubsub"), seed=7, environ=environ)
        others.update(each.name for each in report.promises if each.status == "unsupported")
        return report

    assert broken(run) == []
    # Brokers that are not ours are installed by `make others`.
    assert [name for name in others if " install " not in name] == []


def test_where_there_are_no_real_processes_it_says_so() -> None:
    report = run_in_simulation(load_scenario("pubsub"), seed=7)

    assert [each.status for each in report.promises] == ["unsupported"]


@pytest.mark.timeout(120)
def test_with_two_copies_the_death_of_the_member_that_keeps_them_loses_nothing(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    if find_program("etcd") is None:
        pytest.skip("etcd is borrowed by make test")
    file = tmp_path / "topology.toml"
    _ = file.write_text(CLUSTER)
    lab = ProcessLab(load_topology(file), seed=7, environ=environ)
    kept = Kept()

    async def program() -> None:
        await lab.open()
        try:
            await demand_two_copies(lab)
            async with (
                open_pubsub(lab.host("alice")) as publisher,
                open_pubsub(lab.host("bob")) as reader,
                reader.subscribe("k/#", name="judge", queue=100_000) as judge,
                read(judge, kept, quiet_s=8.0),
                asyncio.TaskGroup() as tasks,
            ):
                loading = publish(publisher, kept, ("k/1",), per_s=200.0, seconds=4.0)
                _ = tasks.create_task(loading)
                await lab.sleep(1.0)
                assert publisher.home is not None
                await lab.kill(lab.host("alice").records.name_of(publisher.home))
        finally:
            await lab.close()

    asyncio.run(program())

    assert len(kept.acknowledged) > 300
    assert (kept.lost, kept.misplaced) == (0, 0)


async def demand_two_copies(lab: ProcessLab) -> None:
    """Have the operator say so, on each member."""
    for name in lab.topology.nodes:
        await lab.kill(name)
        path = lab.folder(name) / "node.toml"
        text = path.read_text().replace(POLICY, f"{POLICY}\ncopies = {{ pubsub = 2 }}")
        _ = path.write_text(text)
    for name in lab.topology.nodes:
        await lab.start(name)
