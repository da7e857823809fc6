"""What a crowd wants, and what it counts."""

from ei.lab.bare_hosts import HostOrder
from ei.records.keys import make_keys
from ei.scenarios.pubsub.crowd import FIRST_NUMBER, Crowd, Sink, count, wishes_of
from ei.services.pubsub.messages import Wish, write_payload

OWN, NODE = make_keys(b"h" * 32), make_keys(b"n" * 32)
LONELY = HostOrder(
    address=OWN.address(1), pipe_secret=OWN.pipe_secret, bind="127.0.0.1:0",
    node=NODE.address(1), node_key=NODE.pipe_key, node_endpoint="127.0.0.1:9",
)  # fmt: skip
STAMP = bytes(8)


def test_each_wants_what_is_live_and_what_is_kept_for_it() -> None:
    crowd = Crowd(hosts=(LONELY, LONELY), wishes=("a", "b"), kept=("c", "d"))

    assert wishes_of(crowd) == [
        (Wish("a"), Wish("c", is_kept=True)),
        (Wish("b"), Wish("d", is_kept=True)),
    ]
    assert wishes_of(Crowd(hosts=(LONELY,), wishes=("a",))) == [(Wish("a"),)]


def test_messages_are_counted_with_those_that_are_late() -> None:
    sink = Sink(LONELY, (Wish("a"),))
    numbers = [FIRST_NUMBER + 1, FIRST_NUMBER + 16, FIRST_NUMBER + 2, 7]

    sink.count([write_payload(number, b"", STAMP) for number in numbers])

    counted = count([sink])
    assert (counted.received, counted.kept, counted.late, counted.least) == (3, 1, 1, 3)
    assert len(counted.waits_ms) == 1
    assert count([sink]).received == 0
