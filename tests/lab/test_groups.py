"""What groups in scenarios promise."""

from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.groups import Member, send_stream, sender, take_all, until_heard
from ei.lab.simulation import Simulation

TOPOLOGY = find_topology("multicast")
GROUP = "news.isp-a"


def test_members_count_what_they_hear_until_they_leave() -> None:
    async def script(lab: Simulation) -> list[list[int]]:
        members = [await Member.join(lab.host(name), GROUP) for name in ("a1", "c1")]
        heard: list[list[int]] = []
        with sender(lab.host("alice"), GROUP) as channel:
            joined_s = await until_heard(lab, channel, members, limit_s=5)
            assert joined_s is not None
            for _ in range(2):
                assert await send_stream(lab, channel, count=20, rate_pps=1_000) == 20
                taken = await take_all(members, wait_s=0.2)
                heard.append([each.distinct for each in taken])
                await members[0].leave()
                await lab.sleep(0.2)
        for member in members:
            await member.close()
        return heard

    assert run_simulated(TOPOLOGY, script) == [[20, 20], [0, 20]]
