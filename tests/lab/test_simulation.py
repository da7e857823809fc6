"""What a simulated lab promises."""

import os
import subprocess
import sys
from pathlib import Path

import dpkt
import pytest

from ei.errors import ConflictError, NotFoundError
from ei.lab.builder import regular
from ei.lab.catalogue import find_topology
from ei.lab.clock import VirtualClock
from ei.lab.fixture import run_simulated
from ei.lab.load import ping_pairs
from ei.lab.simulation import Simulation
from ei.lab.topology import Impairment

TOPOLOGY = find_topology("delivery")


async def is_reached(lab: Simulation) -> bool:
    (ping,) = await ping_pairs(lab, [("alice", "bob")], deadline_s=0.5)
    return ping.round_trip_s is not None


async def digest_of(lab: Simulation) -> str | None:
    _ = await ping_pairs(lab, [("alice", "bob"), ("bob", "alice")] * 5)
    await lab.impair("sn1.isp-a", "sn1.isp-b", Impairment(delay_ms=3, jitter_ms=5, loss=0.2))
    _ = await ping_pairs(lab, [("alice", "bob"), ("bob", "alice")] * 5)
    return lab.digest()


def test_a_run_is_repeated_bit_for_bit_from_its_seed() -> None:
    first, again, other = (run_simulated(TOPOLOGY, digest_of, seed=seed) for seed in (7, 7, 8))

    assert first == again
    assert first != other


@pytest.mark.slow
def test_hash_randomisation_changes_nothing() -> None:
    program = (
        "from ei.lab.scenario import load_scenario, run_in_simulation\n"
        "print(run_in_simulation(load_scenario('core'), seed=7).digest)"
    )

    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "random")
    }

    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


def test_a_killed_node_is_gone_until_it_is_started() -> None:
    async def script(lab: Simulation) -> None:
        await lab.kill("sn1.isp-a")
        with pytest.raises(NotFoundError, match=r"sn1\.isp-a does not run"):
            await lab.node_status("sn1.isp-a")
        await lab.start("sn1.isp-a")
        with pytest.raises(ConflictError, match=r"sn1\.isp-a runs"):
            await lab.start("sn1.isp-a")
        await lab.sleep(5)
        peers = {peer.name: peer.is_up for peer in (await lab.node_status("sn1.isp-a")).peers}
        assert peers["sn1.isp-b"]

    run_simulated(TOPOLOGY, script)


def test_a_drained_node_is_left_by_all_before_it_ends() -> None:
    async def script(lab: Simulation) -> tuple[int, bool]:
        _ = await is_reached(lab)
        left = await lab.drain("sn1.isp-a")
        with pytest.raises(NotFoundError, match=r"sn1\.isp-a does not run"):
            await lab.node_status("sn1.isp-a")
        return left, await is_reached(lab)

    assert run_simulated(TOPOLOGY, script) == (0, True)


def test_a_frozen_lab_answers_when_it_is_thawed() -> None:
    async def script(lab: Simulation) -> list[bool]:
        nodes = ("sn1.isp-b", "sn2.isp-b")
        _ = await is_reached(lab)
        for name in nodes:
            await lab.freeze(name)
        frozen = await is_reached(lab)
        for name in nodes:
            await lab.thaw(name)
        await lab.sleep(2)
        return [frozen, await is_reached(lab)]

    assert run_simulated(TOPOLOGY, script) == [False, True]


def test_a_cut_is_healed() -> None:
    async def script(lab: Simulation) -> list[bool]:
        await lab.sleep(1)
        links = [("alice.isp-a", "sn1.isp-a"), ("alice.isp-a", "sn2.isp-a")]
        for link in links:
            await lab.cut(*link)
        cut = await is_reached(lab)
        for link in links:
            await lab.heal(*link)
        await lab.sleep(10)
        return [cut, await is_reached(lab)]

    assert run_simulated(TOPOLOGY, script) == [False, True]


def test_a_service_whose_worker_died_is_back() -> None:
    async def script(lab: Simulation) -> bool:
        await lab.sleep(1)
        for name in lab.topology.nodes:
            await lab.kill_worker(name, "delivery")
        await lab.sleep(1)
        return await is_reached(lab)

    assert run_simulated(TOPOLOGY, script)


def test_an_hour_passes_in_no_time_and_the_pipes_are_still_up() -> None:
    async def script(lab: Simulation) -> str:
        await lab.sleep(3_600)
        return lab.host("h0.d0").status().summary

    summary = run_simulated(regular(nodes=1, hosts=1), script)

    assert summary == "h0.d0: 1 of 1 nodes up, using n0.d0"


def test_a_capture_shows_headers_in_plaintext(tmp_path: Path) -> None:
    path = tmp_path / "lab.pcapng"

    async def script(lab: Simulation) -> None:
        with lab.capture(path):
            assert await is_reached(lab)
        _ = await is_reached(lab)

    run_simulated(TOPOLOGY, script)

    with path.open("rb") as file:
        frames = [dpkt.ip.IP(packet).data.data for _, packet in dpkt.pcapng.Reader(file)]
    opened = [frame for frame in frames if frame[:2] == b"\x14\x80"]
    # Version 1 with its flags, a hop limit, class 0, and the service: delivery or control.
    assert opened
    assert {int.from_bytes(frame[20:24], "little") for frame in opened} <= {1, 16}


def test_capturing_changes_nothing_that_is_captured(tmp_path: Path) -> None:
    async def script(lab: Simulation) -> str | None:
        with lab.capture(tmp_path / "lab.pcapng"):
            return await digest_of(lab)

    assert run_simulated(TOPOLOGY, script) == run_simulated(TOPOLOGY, digest_of)


def test_without_a_log_there_is_no_digest() -> None:
    assert Simulation(VirtualClock(), TOPOLOGY, seed=1, has_log=False).digest() is None


def test_unknown_names_get_a_suggestion() -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(NotFoundError, match="did you mean 'alice"):
            lab.host("alicia")

    run_simulated(TOPOLOGY, script)
