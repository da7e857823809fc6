"""What a pure datapath says of itself after anything that was done to it."""

from tests.native.rig import address, key

from ei._core import Datapath, public_key

NODE, HOST = "10.0.0.1:3535", "10.0.0.2:3535"
START_NS = 1_000_000_000


def pair() -> tuple[Datapath, Datapath]:
    node = Datapath(role="node", address=address(1), private_key=key(1), seed=bytes(32))
    host = Datapath(role="host", address=address(2), private_key=key(2), seed=bytes(32))
    node.add_peer(address(2), public_key(key(2)), kind="host")
    host.add_peer(address(1), public_key(key(1)), kind="node", endpoint=NODE)
    return node, host


def test_it_is_what_is_to_be_sent_and_when_to_poll() -> None:
    _, host = pair()
    assert host.outcome() == ([], None)

    host.dial(START_NS, address(1))
    outcome = host.outcome()

    assert outcome is not None
    (datagram,), due_ns = outcome
    assert datagram[0] == NODE
    assert due_ns == host.next_deadline_ns() is not None
    assert host.outcome() == ([], due_ns), "what was taken is not there again"


def test_there_is_none_until_all_notices_are_taken() -> None:
    node, host = pair()
    host.dial(START_NS, address(1))
    for now_ns in range(START_NS, START_NS + 4):
        for _, datagram in host.take_datagrams():
            _ = node.handle(now_ns, HOST, datagram)
        for _, datagram in node.take_datagrams():
            _ = host.handle(now_ns, NODE, datagram)

    assert node.outcome() is None

    assert node.take_notices() == [("peer_up", address(2))]
    assert node.outcome() is not None
