"""Cluster: members die, freeze, are cut off, their disks fail; nothing acknowledged is lost."""

from collections.abc import AsyncIterator, Awaitable, Callable

from ei.lab.histories import judge
from ei.lab.lab import Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.cluster.faults import WHOLE_S, Cluster
from ei.scenarios.cluster.flow import Flow, flowing
from ei.scenarios.cluster.load import AFTER_S, Load, loaded, read_again

BACKENDS = ("processes",)
RATE_LIMIT = 50.0
BACK_LIMIT_S = 1.0
BACK_WITHOUT_LEADER_S = 3.0
WITHOUT_QUORUM_S = 60.0
CALM_S = 3.0

Fault = Callable[[], Awaitable[object]]


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Load the cluster, do harm to it, and hold what its clients were told against what is kept."""
    if not isinstance(lab, ProcessLab):
        yield unsupported("a cluster with a real etcd", "==", limit=True)
        return
    cluster = Cluster(lab)
    took_s = await cluster.until_whole()
    yield promise("all members in sync", took_s, "<=", WHOLE_S, unit="s")
    hosts = list(lab.hosts.values())
    async with loaded(lab, hosts) as load:
        await lab.sleep(CALM_S)
        began_s = lab.now_s()
        calm_s = load.gap_s(began_s - CALM_S / 2, began_s)
        async for each in faults(cluster, load, calm_s=calm_s):
            yield each
        rate = len(load.done) / (lab.now_s() - began_s)
        async for each in without_quorum(cluster, load):
            yield each
    yield promise("operations under faults", round(rate, 1), ">=", RATE_LIMIT, unit="1/s")
    await read_again(lab, hosts[0], load)
    for each in judged(cluster, load, is_valid=rate >= RATE_LIMIT):
        yield each


async def faults(cluster: Cluster, load: Load, *, calm_s: float) -> AsyncIterator[Promise]:
    """Do one thing after the other to who owns the state; measure until writes are back."""
    lab = cluster.lab

    async def back(what: str, fault: Fault, limit_s: float = BACK_LIMIT_S) -> Promise:
        began_s = lab.now_s()
        _ = await fault()
        await lab.sleep(AFTER_S)
        gap_s = load.gap_s(began_s, lab.now_s())
        return promise(f"{what}: writes back", gap_s, "<=", limit_s, unit="s", baseline=calm_s)

    owner = await cluster.owner()
    yield await back("owner killed", lambda: lab.kill(owner))
    cluster.tear(owner)
    await lab.start(owner)
    _ = await cluster.until_whole()
    owner = await cluster.owner()
    yield await back("owner frozen", lambda: lab.freeze(owner))
    await lab.thaw(owner)
    _ = await cluster.until_whole()
    owner = await cluster.owner()
    yield await back("owner cut off", lambda: cluster.cut_off(owner))
    await cluster.heal(owner)
    _ = await cluster.until_whole()
    owner = await cluster.owner()
    yield await back("owner's disk full", lambda: lab.fill_disk(owner))
    await lab.free_disk(owner)
    _ = await cluster.until_whole()
    owner, leader = await cluster.owner(), await cluster.etcd_leader()

    async def kill_both() -> None:
        await lab.kill(leader)
        await lab.kill(owner)

    yield await back("owner and etcd's leader killed", kill_both, BACK_WITHOUT_LEADER_S)
    cluster.spoil(owner)
    await lab.start(leader)
    await lab.start(owner)
    took_s = await cluster.until_whole()
    yield promise("a torn and a spoilt log are repaired", took_s, "<=", WHOLE_S, unit="s")
    owner = await cluster.owner()
    leave = {"name": owner, "is_leaving": True}
    yield await back("owner leaves", lambda: lab.ask_node(owner, "member", leave))
    _ = await lab.ask_node(owner, "member", leave | {"is_leaving": False})
    _ = await cluster.until_whole()


async def without_quorum(cluster: Cluster, load: Load) -> AsyncIterator[Promise]:
    """Take etcd's quorum away for a minute: the set is frozen, and all goes on."""
    lab = cluster.lab
    gone = list(lab.topology.etcd)[:2]
    async with flowing(lab, "alice", "bob") as flow:
        for name in gone:
            await lab.kill(name)
        began_s = lab.now_s()
        await lab.sleep(WITHOUT_QUORUM_S)
        gap_s = load.gap_s(began_s, lab.now_s())
        for name in gone:
            await lab.start(name)
    name = f"etcd's quorum gone for {WITHOUT_QUORUM_S:g} s"
    yield promise(
        f"{name}: packets of a decided flow lost",
        flow.lost,
        "==",
        0,
        unit="packets",
        is_valid=flow.sent >= WITHOUT_QUORUM_S * Flow.rate_pps * 0.9,
    )
    yield promise(f"{name}: longest time without a write", gap_s, "<=", BACK_LIMIT_S, unit="s")


def judged(cluster: Cluster, load: Load, *, is_valid: bool) -> list[Promise]:
    """Hold the history against what a register and a set are."""
    wrong = judge(load.history)
    lost = [each for each in wrong if each.endswith("is lost")]
    owners = cluster.owners()
    twice = [epoch for epoch, names in owners.items() if len(names) > 1]
    return [
        promise("acknowledged, and lost", len(lost), "==", 0, unit="writes", is_valid=is_valid),
        promise(
            "histories that are no register's",
            len(wrong) - len(lost),
            "==",
            0,
            unit="histories",
            is_valid=is_valid,
        ),
        promise(
            "epochs with two owners",
            len(twice),
            "==",
            0,
            unit=f"of {len(owners)}",
            is_valid=is_valid,
        ),
    ]
