"""What dies, jumps or overflows: users are told of changes within a second all the same."""

import pytest
from tests.directory.net import Net, World

from ei.directory import Attached, Named
from ei.directory.messages import Answer, Ask, Register, Registered, Release
from ei.records.kinds import AttachmentRecord


def bob_of(net: Net) -> Attached:
    return Attached(net.world.names["bob.isp-b"])


def net_with_bob(*, limit_of_record: int = 1_024, **options: int) -> Net:
    """Bob of isp-b is attached to its first node."""
    world = World(**options)
    world.add_host("bob.isp-b")
    net = Net(world, limit_of_record=limit_of_record)
    move(net, "sn1.isp-b", sequence=1)
    net.run(0.5)
    return net


def move(net: Net, node: str, *, sequence: int) -> None:
    envelope = net.world.attach("bob.isp-b", node, sequence=sequence, unix_s=net.unix_s)
    net.say("bob.isp-b", node, Register(envelope))


def sequence_at(net: Net, node: str) -> int:
    found = net.ask(node, bob_of(net)) or net.last_answer(node, bob_of(net))
    assert found is not None
    return found.record.sequence if isinstance(found.record, AttachmentRecord) else 0


def test_when_a_directory_dies_the_next_one_answers_within_a_second() -> None:
    net = net_with_bob(nodes=3, directories=2)
    net.kill("sn1.isp-a")
    net.kill("sn1.isp-b")

    found = net.resolve("sn3.isp-a", bob_of(net), within_s=1.0)

    assert found is not None
    assert isinstance(found.record, AttachmentRecord)


def test_users_of_a_directory_that_dies_are_told_changes_by_the_next() -> None:
    net = net_with_bob(nodes=3, directories=2)
    net.resolve("sn3.isp-a", bob_of(net))
    net.kill("sn1.isp-a")
    net.kill("sn1.isp-b")
    net.run(1.0)

    move(net, "sn3.isp-b", sequence=2)
    net.run(1.0)

    assert sequence_at(net, "sn3.isp-a") == 2


def test_a_directory_that_is_started_again_knows_what_it_had_acknowledged() -> None:
    net = net_with_bob()
    net.kill("sn1.isp-b")
    net.run(1.0)

    net.revive("sn1.isp-b")
    net.run(1.0)

    assert sequence_at(net, "sn1.isp-b") == 1


def test_a_directory_hears_from_its_sibling_what_it_missed() -> None:
    net = net_with_bob(nodes=3, directories=2)
    net.kill("sn2.isp-b")
    net.run(1.0)
    move(net, "sn3.isp-b", sequence=2)
    net.run(60.0)

    net.revive("sn2.isp-b")
    net.run(1.0)

    assert sequence_at(net, "sn2.isp-b") == 2


def test_an_attachment_is_handed_over_until_the_directory_has_it() -> None:
    net = net_with_bob()
    net.kill("sn1.isp-b")
    net.run(1.0)
    move(net, "sn2.isp-b", sequence=2)
    net.run(5.0)

    net.revive("sn1.isp-b")
    net.run(1.0)

    assert sequence_at(net, "sn1.isp-b") == 2
    assert Registered(bob_of(net).host, 2) in net.heard[net.world.names["bob.isp-b"]]
    assert net.node("sn2.isp-b").statistics().handing.waiting == 0


def test_what_changed_while_a_node_was_cut_off_it_is_told_when_it_is_back() -> None:
    net = net_with_bob()
    net.resolve("sn2.isp-a", bob_of(net))
    directory, user = (net.world.names[name] for name in ("sn1.isp-a", "sn2.isp-a"))
    times = {"now_s": net.now_s, "unix_s": net.unix_s}
    assert net.nodes[directory].peer_changed(user, is_up=False, **times) == []
    move(net, "sn2.isp-b", sequence=2)
    net.run(1.0)

    times = {"now_s": net.now_s, "unix_s": net.unix_s}
    sends = net.nodes[directory].peer_changed(user, is_up=True, **times)

    assert [peer for peer, _ in sends] == [user]
    assert sequence_at(net, "sn2.isp-a") == 1
    net.nodes[user].take(directory, sends[0][1], **times)
    assert sequence_at(net, "sn2.isp-a") == 2


def test_what_is_used_stays_leased_and_what_is_not_is_let_go() -> None:
    net = net_with_bob()
    net.resolve("sn2.isp-a", bob_of(net))
    for _ in range(60):
        net.run(10.0)
        net.ask("sn2.isp-a", bob_of(net))
    asked = sum(isinstance(sent.message, Ask) for sent in net.sent)
    in_use = net.node("sn1.isp-b").statistics().publishing.subscriptions.subscriptions

    net.run(600.0)

    assert in_use == 1
    assert asked <= 2 * (600 / 60 + 2)  # two nodes, each at half of a lease
    for name in ("sn1.isp-a", "sn1.isp-b", "sn2.isp-a"):
        statistics = net.node(name).statistics()
        assert statistics.publishing.subscriptions.subscriptions == 0
        assert statistics.resolver.answers == 0


def test_b9_beyond_the_bound_of_a_record_users_ask_again_every_second() -> None:
    net = net_with_bob(limit_of_record=2, domains=6, nodes=1)
    users = [f"sn1.isp-{letter}" for letter in "acdef"]
    for user in users:
        net.resolve(user, bob_of(net))
    bound = net.node("sn1.isp-b").statistics().publishing.subscriptions
    move(net, "sn1.isp-b", sequence=2)
    net.run(1.1)

    sequences = [sequence_at(net, user) for user in users]

    assert bound.subscriptions == 2
    assert bound.full >= 3
    assert sequences == [2] * len(users)
    lifetimes = {
        (sent.message.lifetime_s, sent.message.is_leased)
        for sent in net.sent
        if isinstance(sent.message, Answer)
    }
    assert (1, False) in lifetimes


@pytest.mark.parametrize("jump_s", [3_600.0, -3_600.0])
def test_a_clock_that_jumps_an_hour_loses_no_lease_and_no_answer(jump_s: float) -> None:
    net = net_with_bob()
    net.resolve("sn2.isp-a", bob_of(net))

    net.unix_offset_s += jump_s
    for _ in range(30):
        net.run(10.0)
        net.ask("sn2.isp-a", bob_of(net))

    assert sequence_at(net, "sn2.isp-a") == 1
    assert net.node("sn1.isp-b").statistics().publishing.subscriptions.subscriptions == 1


def test_a_clock_set_back_keeps_nothing_past_its_time() -> None:
    net = net_with_bob()
    net.resolve("sn2.isp-a", bob_of(net))

    net.unix_offset_s -= 3_600.0
    net.run(3_000.0)

    assert net.resolve("sn2.isp-a", bob_of(net)) is not None
    assert sequence_at(net, "sn2.isp-a") == 0
    assert sequence_at(net, "sn1.isp-b") == 0


def test_nobody_answers_and_the_question_ends() -> None:
    net = net_with_bob()
    net.kill("sn1.isp-b")
    net.run(1.0)

    found = net.resolve("sn2.isp-a", Named("bob.isp-b"), within_s=6.0)

    assert found is not None
    assert found.record is None
    assert found.reason == "no_answer"
    assert net.node("sn2.isp-a").statistics().resolver.asks.waiting == 0


def test_what_is_released_is_told_no_more() -> None:
    net = net_with_bob()
    net.resolve("sn1.isp-a", bob_of(net))
    net.say("sn1.isp-a", "sn1.isp-b", Release(bob_of(net)))
    net.run(0.5)
    move(net, "sn2.isp-b", sequence=2)

    net.run(0.5)

    assert sequence_at(net, "sn1.isp-a") == 1
