"""Hosts find one another by name, through the directories of their domains."""

import asyncio

from ei.lab.clock import VirtualClock, run_virtual
from ei.scenarios.scale.hosts import SPREAD_S, Hosts, host_name
from ei.scenarios.scale.internet import make_internet

UNIX_S = 1_800_000_000


def test_every_host_finds_where_the_other_one_is_attached() -> None:
    async def program(clock: VirtualClock) -> None:
        internet = make_internet(12, seed=1, unix_s=UNIX_S)
        hosts = Hosts(clock, internet, per_domain=2, seed=1, unix_s=UNIX_S)

        await asyncio.sleep(SPREAD_S + 2.0)

        assert len(hosts.searches) == 24
        assert sorted(each.name for each in hosts.searches) == sorted(
            host_name(number, place) for number in internet.keys for place in range(2)
        )
        for each in hosts.searches:
            assert each.node == internet.keys[each.to].address(each.to)
            assert each.found_s is not None
            assert each.found_s - each.began_s < 1.0
        assert hosts.messages > 0
        assert hosts.bytes > hosts.messages

    run_virtual(program)
