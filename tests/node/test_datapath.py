"""The pure datapath under an engine's interface, at the time of a simulation."""

from ei._core import Datapath
from ei.node.datapath import DatapathControl, PureControl
from ei.records.keys import make_keys

OWN, PEER = make_keys(b"o" * 32), make_keys(b"p" * 32)


def test_commands_reach_the_datapath_at_the_simulations_time() -> None:
    now_ns = 1_000_000_000
    datapath = Datapath(
        role="node", address=OWN.address(1), private_key=OWN.pipe_secret, seed=bytes(32)
    )
    control: DatapathControl = PureControl(datapath, lambda: now_ns)

    control.add_peer(PEER.address(1), PEER.pipe_key, kind="node", endpoint="127.0.0.2:3535")
    control.add_service(16, drop_reasons=["lost"], counters=["seen"])
    control.set_chain(16, [16])
    control.set_guards(PEER.address(1), [])
    control.set_internet(["0.0.0.0/0:443"])
    control.set_stream_peer(PEER.address(1), PEER.identity_key)
    control.dial(PEER.address(1))

    [(endpoint, initiation)] = datapath.take_datagrams()
    deadline_ns = datapath.next_deadline_ns()
    assert (endpoint, len(initiation)) == ("127.0.0.2:3535", 1_359)
    assert deadline_ns is not None
    assert deadline_ns > now_ns
    assert list(control.take_notices()) == []
    assert control.take_traces() == []
    assert PEER.address(1).hex() in str(control.statistics())

    control.remove_peer(PEER.address(1))
    control.remove_service(16)

    assert PEER.address(1).hex() not in str(control.statistics())
