"""What a host without a node can say of pub/sub; the rest is said by `ei pub` and `ei sub`."""

import io

import pytest

from ei.daemons.log import Log
from ei.daemons.messages import Request
from ei.errors import EiError
from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.ways.publishing import publishing_beside


def test_where_no_node_offers_pub_sub_each_who_asks_is_told() -> None:
    async def script(lab: Simulation) -> None:
        async with publishing_beside(lab.host("alice"), Log(io.StringIO())) as verbs:
            for _ in range(2):
                request = Request("publish", {"subject": "a", "data": "", "is_kept": True})
                with pytest.raises(EiError):
                    _ = [answer async for answer in verbs["publish"](request)]

    run_simulated(find_topology("threedomains"), script)
