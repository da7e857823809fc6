"""Records that change while packets flow: renewal costs nothing, revocation cuts at once."""

from ei.lab.fixture import run_simulated
from ei.lab.load import ping_pairs
from ei.lab.population import LIFETIME_S
from ei.lab.simulation import UNIX_S, Simulation
from ei.lab.topology_file import parse_topology
from ei.records.issuer import Issuer
from ei.records.lists import seal_list
from ei.records.revocation import next_list

TOPOLOGY = parse_topology(
    """
version = 1
services = ["delivery", "echo"]
[domains.isp-a.nodes.sn1]
[domains.isp-a.nodes.sn2]
[domains.isp-a.hosts.alice]
nodes = ["sn1", "sn2"]
[domains.isp-b.nodes.sn1]
[domains.isp-b.hosts.bob]
nodes = ["sn1"]
[domains.isp-b.hosts.carol]
nodes = ["sn1"]
""",
    name="publishing",
)


def issuer_of(lab: Simulation, domain: str) -> Issuer:
    return Issuer(
        domain,
        lab.topology.domains[domain].number,
        lab.population.domains[domain],
        expires_unix_s=UNIX_S + 2 * LIFETIME_S,
    )


def revoke(lab: Simulation, name: str) -> None:
    keys = lab.population.residents[name].keys
    domain = name.partition(".")[2]
    body = next_list(None, domain=domain, unix_s=UNIX_S, revoke=[keys.identity_key])
    _ = lab.publish(seal_list(body, [lab.population.domains[domain]]))


async def is_reached(lab: Simulation, source: str, to: str) -> bool:
    (ping,) = await ping_pairs(lab, [(source, to)], deadline_s=0.5)
    return ping.round_trip_s is not None


def test_a18_what_is_renewed_under_traffic_keeps_its_pipes_and_loses_nothing() -> None:
    async def script(lab: Simulation) -> None:
        node = "sn1.isp-a"
        _ = await ping_pairs(lab, [("alice", "bob")] * 5)
        before = await lab.node_status(node)
        issuer = issuer_of(lab, "isp-a")
        residents = lab.population.residents

        for number in range(20):
            if number == 10:
                endpoints = next(
                    record.endpoints
                    for record in lab.host("alice").records.nodes.values()
                    if record.name == node
                )
                records = lab.publish(
                    issuer.domain(),
                    issuer.enrol(residents["alice.isp-a"].keys, "alice.isp-a"),
                    issuer.node(residents[node].keys, node, endpoints=endpoints, services=(16, 17)),
                )
                assert records.refused == ()
            assert await is_reached(lab, "alice", "bob")

        after = await lab.node_status(node)
        assert after.record_expires_unix_s == before.record_expires_unix_s + LIFETIME_S
        assert [peer.is_up for peer in after.peers] == [True] * len(before.peers)
        # A pipe that had been closed would have begun to count again.
        for old, new in zip(before.peers, after.peers, strict=True):
            assert new.sent >= old.sent
        assert after.dropped == before.dropped

    run_simulated(TOPOLOGY, script, seed=7)


def test_a17_a_revoked_host_is_cut_at_once_and_nobody_else() -> None:
    async def script(lab: Simulation) -> None:
        assert await is_reached(lab, "carol", "alice")
        revoke(lab, "bob.isp-b")

        peers = {peer.name: peer.is_up for peer in (await lab.node_status("sn1.isp-b")).peers}
        assert "bob.isp-b" not in peers
        assert not await is_reached(lab, "bob", "alice")
        assert await is_reached(lab, "carol", "alice")

    run_simulated(TOPOLOGY, script, seed=7)


def test_a_stale_list_cuts_nobody_who_talks_and_lets_nobody_in_until_it_is_fresh() -> None:
    async def script(lab: Simulation) -> None:
        assert await is_reached(lab, "alice", "bob")
        old = next_list(None, domain="isp-b", unix_s=UNIX_S - 10_000)
        _ = lab.publish(seal_list(old, [lab.population.domains["isp-b"]]))
        assert await is_reached(lab, "alice", "bob")
        assert (await lab.node_status("sn1.isp-a")).revocation_stale == 0

        await lab.kill("sn1.isp-b")
        await lab.sleep(60)
        await lab.start("sn1.isp-b")
        await lab.sleep(60)
        assert not await is_reached(lab, "alice", "bob")
        assert (await lab.node_status("sn1.isp-a")).revocation_stale == 1

        fresh = next_list(old, domain="isp-b", unix_s=UNIX_S + 120)
        _ = lab.publish(seal_list(fresh, [lab.population.domains["isp-b"]]))
        await lab.sleep(60)
        assert await is_reached(lab, "alice", "bob")
        assert (await lab.node_status("sn1.isp-a")).stale_revocations == {}

    run_simulated(TOPOLOGY, script, seed=7)


def test_a_revoked_node_is_left_for_the_next() -> None:
    async def script(lab: Simulation) -> None:
        assert await is_reached(lab, "alice", "carol")
        await lab.kill("sn1.isp-a")  # whoever holds the key now has another machine
        revoke(lab, "sn1.isp-a")

        assert await is_reached(lab, "alice", "carol")
        assert "sn1.isp-a" not in lab.host("alice").records.names
        status = lab.host("alice").status()
        assert [each.is_up for each in status.attachments] == [False, True]

    run_simulated(TOPOLOGY, script, seed=7)
