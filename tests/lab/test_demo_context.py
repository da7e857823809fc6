"""What the steps of the demo share."""

import asyncio

import pytest

from ei.errors import LocalError
from ei.host.verbs_ping import Pings
from ei.lab.catalogue import find_topology
from ei.lab.demo_context import Demo
from ei.lab.narrator import Narrator
from ei.lab.run_folder import LabFile

pytestmark = pytest.mark.slow


@pytest.fixture
def shared(running: LabFile) -> Demo:
    """A demo on the lab that runs for all tests."""
    return Demo(find_topology("echo"), running, Narrator(is_quiet=True), began_s=0.0)


def test_an_answer_comes_in_its_shape(shared: Demo) -> None:
    pings = asyncio.run(shared.ask("alice.isp-a", "ask", Pings, {"service": 17, "count": 3}))

    assert (pings.sent, len(pings.rtts_s)) == (3, 3)


def test_an_error_of_a_daemon_is_raised_here(shared: Demo) -> None:
    with pytest.raises(LocalError, match="no verb 'dance'"):
        asyncio.run(shared.do("alice.isp-a", "dance", {}))


def test_all_packets_are_accounted_for_by_name(shared: Demo) -> None:
    asyncio.run(shared.account())

    assert [each.status for each in shared.promises] == ["ok"]
    assert shared.packets["alice.isp-a", "sn1.isp-a"] > 0
    assert set(shared.packets) == {
        ("alice.isp-a", "sn1.isp-a"),
        ("alice.isp-a", "sn2.isp-a"),
        ("sn1.isp-a", "sn2.isp-a"),
    }
