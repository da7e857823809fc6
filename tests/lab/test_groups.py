"""What groups in scenarios promise."""

from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.groups import Member, send_stream, sender, take_all
from ei.lab.simulation import Simulation

TOPOLOGY = find_topology("multicast")
GROUP = "news.isp-a"


def test_members_count_what_they_hear_until_they_leave() -> None:
    async def script(lab: Simulation) -> list[list[int]]:
        members = [Member(lab.host(name), GROUP) for name in ("bob", "carol")]
        heard: list[list[int]] = []
        await lab.sleep(1)
        with sender(lab.host("alice"), GROUP) as channel:
            for _ in range(2):
                assert await send_stream(lab, channel, count=20, rate_pps=1_000) == 20
                taken = await take_all(members, wait_s=0.2)
                heard.append([each.distinct for each in taken])
                members[0].leave()
                await lab.sleep(0.2)
        for member in members:
            member.close()
        return heard

    assert run_simulated(TOPOLOGY, script) == [[20, 20], [0, 20]]
