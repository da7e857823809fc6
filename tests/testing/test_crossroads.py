import msgspec

from ei.runtime.loader import load_service
from ei.sdk import Attachment, AttachmentOf, Group, GroupOf
from ei.services.multicast.messages import Join
from ei.testing import address
from ei.testing.crossroads import NODE, Crossroads, Received

ALICE, BOB = address("alice"), address("bob")
DELIVERY, MULTICAST = 16, 48


def test_hosts_reach_each_other_by_the_node() -> None:
    rig = Crossroads([load_service("delivery")], ["alice", "bob"])

    rig.send("alice", DELIVERY, b"one", b"two", metadata=BOB, connection=7)
    rig.settle()

    assert rig.take_received() == [
        Received("bob", DELIVERY, ALICE, 7, BOB, payload) for payload in (b"one", b"two")
    ]
    assert rig.take_received() == []


def test_the_directory_answers_what_it_knows_and_that_it_does_not() -> None:
    away = address("away")
    records = {AttachmentOf(away): Attachment(away, (address(NODE),))}
    rig = Crossroads([load_service("delivery")], ["alice"], records=dict(records))

    rig.send("alice", DELIVERY, metadata=away)
    rig.send("alice", DELIVERY, metadata=address("nobody"))
    rig.settle()

    services = rig.node.statistics()["services"]
    dropped = msgspec.convert(services, dict[int, dict[str, object]])[DELIVERY]["dropped"]
    assert dropped == {"host_unreachable": 1, "unknown_destination": 1}


def test_hosts_tell_services_something() -> None:
    news = address("news")
    rig = Crossroads(
        [load_service("multicast")],
        ["alice", "bob"],
        records={GroupOf(news): Group(news, (address(NODE),))},
    )
    rig.control("bob", MULTICAST, Join(news))
    rig.settle()

    rig.send("alice", MULTICAST, b"hello", metadata=news)
    rig.settle()

    assert [received.host for received in rig.take_received()] == ["bob"]


def test_time_passes_as_the_test_says() -> None:
    rig = Crossroads([load_service("echo")], ["alice"])
    before_ns = rig.now_ns

    rig.pass_time(1.0)

    assert 1.0 <= (rig.now_ns - before_ns) / 1e9 < 1.1


def test_a_chain_is_walked_in_order() -> None:
    rig = Crossroads(
        [load_service("delivery"), load_service("echo")],
        ["alice", "bob"],
        chains={DELIVERY: [17, DELIVERY]},
    )

    rig.send("alice", DELIVERY, metadata=BOB)
    rig.settle()

    # Echo is first and answers: it hands nothing on.
    assert [received.host for received in rig.take_received()] == ["alice"]
