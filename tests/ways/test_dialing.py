"""Names lead to hosts of ours or on from the node."""

import pytest

from ei.errors import NotFoundError, StreamError
from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.records.addresses import parse_address
from ei.ways.dialing import HostDialler, ours

DOMAINS = ("campus", "isp-b")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("files.campus.ei", "files.campus"),
        ("Files.Campus.EI.", "files.campus"),
        ("files.campus", "files.campus"),
        ("files.unknown.ei", "files.unknown"),
        ("files.unknown", None),
        ("campus", None),
        ("www.files.campus", None),
        ("www.example.org", None),
        ("192.0.2.1", None),
        ("::1", None),
    ],
)
def test_a_name_is_ours_under_ei_or_under_a_domain_that_is_known(
    text: str, name: str | None
) -> None:
    assert ours(text, DOMAINS) == name


def test_an_address_of_ours_is_ours_as_programs_write_it() -> None:
    for text in ("fd35:0:1::1", "[fd35:0:1::1]"):
        assert ours(text, DOMAINS) == parse_address("fd35:0:1::1")


def test_our_names_lead_to_the_host_and_others_are_refused_where_no_node_carries_them_on() -> None:
    async def script(lab: Simulation) -> None:
        alice, bob = lab.host("alice"), lab.host("bob")
        dialler = HostDialler(alice)
        with bob.accept_streams(80) as listener:
            near = await dialler.dial("bob.isp-b.ei", 80)
            await near.write(b"hello")
            far = await listener.accept()
            assert await far.read() == b"hello"
            assert far.peer == alice.address
        with pytest.raises(StreamError, match="nobody listens"):
            await (await dialler.dial("bob.isp-b", 81)).settle()
        with pytest.raises(NotFoundError, match="no record of nobody"):
            _ = await dialler.dial("nobody.isp-b.ei", 80)

        with pytest.raises(NotFoundError, match="offers no termination") as caught:
            _ = await dialler.dial("www.example.org", 80)

        assert "without the proxy" in caught.value.remedy

    run_simulated(find_topology("threedomains"), script)
