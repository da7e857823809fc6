"""A host's status says which nodes it has, and which it uses."""

from collections import Counter
from typing import TYPE_CHECKING

from tests.host.conftest import UNIX_S

from ei.host.status import host_status

if TYPE_CHECKING:
    from tests.host.conftest import World


def test_a_status_names_nodes_and_counts(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]
    _ = alice.datagrams.ping(world.now_ns, bob.identity.address)
    world.run()

    status = host_status(
        alice, "127.0.0.3:3535", undelivered=Counter(receiver_busy=2), socket_overflows=3
    )

    assert (status.name, status.endpoint) == ("alice.isp-a", "127.0.0.3:3535")
    assert [(each.node, each.is_up, each.is_used) for each in status.attachments] == [
        ("sn1.isp-a", True, True),
        ("sn2.isp-a", True, False),
    ]
    assert (status.sent, status.received) == ({"echo_request": 1}, {"echo_reply": 1})
    assert (status.dropped["receiver_busy"], status.socket_overflows) == (2, 3)
    assert status.summary == "alice.isp-a: 2 of 2 nodes up, using sn1.isp-a"


def test_what_ends_soon_is_in_the_status(world: "World") -> None:
    alice = world.hosts["alice"]

    status = host_status(alice, "x", undelivered=Counter(), unix_s=UNIX_S)

    assert [each.what for each in status.expiring] == [
        "the record of alice.isp-a",
        "the attachment of alice.isp-a",
        "domain isp-a",
    ]


def test_a_host_without_nodes_says_so(world: "World") -> None:
    alice = world.hosts["alice"]
    for node in alice.attachments.nodes:
        _ = alice.attachments.change(world.now_ns, node, is_up=False)

    status = host_status(alice, "x", undelivered=Counter())
    assert status.summary == "alice.isp-a: 0 of 2 nodes up, using no node"
