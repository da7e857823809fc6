"""What the simulated underlay promises to a host."""

import pytest

from ei._core import Datapath
from ei.errors import LocalError
from ei.lab.builder import regular
from ei.lab.clock import START_NS, VirtualClock
from ei.lab.network import Network
from ei.lab.simhost import SimTransport
from ei.records.keys import make_keys


def rig() -> tuple[SimTransport, Datapath, Network]:
    clock = VirtualClock()
    network = Network(clock, regular(nodes=1, hosts=1), seed=1)
    keys = make_keys(bytes(32))
    datapath = Datapath(
        role="host", address=keys.address(1), private_key=keys.pipe_secret, seed=bytes(32)
    )
    transport = SimTransport(clock, network, "h0.d0", "10.0.0.2:3535", unix_offset_ns=5)
    return transport, datapath, network


def test_its_clock_is_the_simulations() -> None:
    transport, _, _ = rig()

    assert (transport.now_ns(), transport.unix_offset_ns()) == (START_NS, 5)
    assert transport.endpoint == "10.0.0.2:3535"


def test_what_arrives_is_handed_over_before_the_host_is_told() -> None:
    transport, datapath, network = rig()
    told: list[int] = []
    transport.open(datapath, lambda: told.append(transport.receive(datapath, START_NS)))
    node = network.attach(
        "n0.d0", "10.0.0.1:3535", lambda _now_ns, _source, each: ["x"] * len(each)
    )

    network.send(node, [(transport.endpoint, b"no datagram of ours")])
    arrival = network._clock.underlay.pop(2 * START_NS, 1)  # noqa: SLF001
    assert arrival is not None
    _ = arrival[1](START_NS + 1_000_000)

    assert told == [0]
    assert datapath.statistics()["received"] == 1


def test_a_host_that_left_hears_nothing_and_sends_nothing() -> None:
    transport, datapath, _ = rig()
    transport.open(datapath, lambda: None)
    transport.close()
    transport.close()

    assert transport.flush(datapath) == 0


def test_who_receives_before_it_is_open_is_told() -> None:
    transport, _, _ = rig()

    with pytest.raises(LocalError, match="not open"):
        transport._on_received()  # noqa: SLF001
