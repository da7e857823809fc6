"""What nodes before the exit promise.

alice ── self ── exit.2                alice ── self ── mid.3 ── exit.2
"""

import pytest

from ei.errors import ConfigError
from ei.runtime.loader import load_service
from ei.sdk import (
    Address,
    Connection,
    DropPacket,
    Effect,
    Forward,
    HoldPacket,
    InstallDecision,
    Key,
    Meter,
    Node,
    NodeAt,
    Operator,
    OperatorOf,
    Packet,
    PacketArrived,
    Query,
    Record,
    Resolve,
    RevokeDecisions,
    Route,
    RouteTo,
    SendControl,
    SendPacket,
    domain_number_of,
)
from ei.services.relay.circuits import eight
from ei.services.relay.forwarding import BACK
from ei.services.relay.messages import Ended
from ei.testing import Playbook, address
from ei.testing.crossroads import Crossroads, Received

ALICE, EXIT, MID, SELF = map(address, ["alice", "exit.2", "mid.3", "self"])
ACME, OWN = Operator(2, "acme", is_own=False), Operator(2, "own", is_own=True)


def first_node(
    *peers: str,
    hops: tuple[Address, ...] = (EXIT,),
    operator: Operator | None = ACME,
    **config: object,
) -> Playbook:
    """Return alice's node, which knows the way to the exit and who runs that."""
    play = Playbook("relay", peers=["alice", *peers], config=config)
    know(play, hops, operator)
    return play


def know(
    play: Playbook, hops: tuple[Address, ...] = (EXIT,), operator: Operator | None = ACME
) -> None:
    _ = play.resolve(OperatorOf(2), operator)
    _ = play.resolve(NodeAt(EXIT), Node(EXIT, (68,)))
    _ = play.resolve(RouteTo(2), Route(hops))


def sent(effects: tuple[Effect, ...]) -> list[tuple[Packet, Address]]:
    return [(each.packet, each.to) for each in effects if isinstance(each, SendPacket)]


def ended(effects: tuple[Effect, ...]) -> list[tuple[str, Address]]:
    """Return the words that are said of circuits, and to whom."""
    return [
        (each.message.word, each.to)
        for each in effects
        if isinstance(each, SendControl) and isinstance(each.message, Ended)
    ]


def installed(effects: tuple[Effect, ...]) -> dict[Key, InstallDecision]:
    return {each.decision.key: each for each in effects if isinstance(each, InstallDecision)}


def dropped(effects: tuple[Effect, ...]) -> list[str]:
    return [each.reason for each in effects if isinstance(each, DropPacket)]


def go(play: Playbook, *, connection: int = 7, exit: Address = EXIT) -> tuple[Effect, ...]:  # noqa: A002
    return play.packet("alice", connection=connection, metadata=exit, payload=b"sealed")


def test_a_packet_goes_on_under_another_name_and_says_nothing_to_the_exit() -> None:
    play = first_node("exit.2")

    [(packet, to)] = sent(go(play))

    assert to == EXIT
    assert packet.metadata == b""
    assert packet.payload == b"sealed"
    assert packet.source not in {ALICE, SELF}
    assert domain_number_of(packet.source) == 1
    assert packet.connection != 7


def test_both_ways_are_decided_before_the_first_packet_goes_on() -> None:
    play = first_node("exit.2", circuit_bytes_per_s=1_000, circuit_burst_bytes=100)

    effects = go(play)

    [(packet, _)] = sent(effects)
    decisions = installed(effects)
    there = decisions[Key(ALICE, ALICE, Connection(7), bytes(EXIT), Address(b""), 68)].decision
    back = decisions[Key(EXIT, EXIT, packet.connection, BACK, Address(b""), 68)].decision
    assert isinstance(there.action, Forward)
    assert isinstance(back.action, Forward)
    [hop], [hop_back] = there.action.hops, back.action.hops
    assert (hop.to, hop.source, hop.connection) == (EXIT, packet.source, packet.connection)
    assert (hop_back.to, hop_back.source, hop_back.connection) == (ALICE, None, 7)
    [meter] = there.stages
    assert isinstance(meter, Meter)
    assert (meter.rate_bytes_per_s, meter.burst_bytes) == (1_000, 100)
    assert back.stages == there.stages
    kinds = [type(effect) for effect in effects]
    assert kinds.index(SendPacket) > max(
        at for at, kind in enumerate(kinds) if kind is InstallDecision
    )


def test_what_comes_back_has_the_hosts_connection_again() -> None:
    play = first_node("exit.2")
    [(packet, _)] = sent(go(play))

    effects = play.packet("exit.2", connection=packet.connection, metadata=BACK, payload=b"x")

    [(answer, to)] = sent(effects)
    assert to == ALICE
    assert (answer.source, answer.connection, answer.metadata) == (EXIT, 7, BACK)


def test_two_circuits_have_nothing_in_common() -> None:
    play = first_node("exit.2")

    [(one, _)], [(other, _)] = sent(go(play, connection=1)), sent(go(play, connection=2))

    assert one.source != other.source
    assert one.connection != other.connection


def test_a_worker_that_forgot_everything_brings_the_same_circuit_forth() -> None:
    play = first_node("exit.2")
    before = sent(go(play))

    play.restart()
    know(play)

    assert sent(go(play)) == before


def test_another_node_gives_other_names() -> None:
    names = set()
    for seed in (1, 2):
        play = Playbook("relay", peers=["alice", "exit.2"], seed=seed)
        know(play)
        [(packet, _)] = sent(go(play))
        names |= {packet.source}

    assert len(names) == 2


def test_between_other_nodes_the_exit_stays_said_and_the_names_stay() -> None:
    play = first_node("mid.3", hops=(MID,))

    [(packet, to)] = sent(go(play))

    assert (to, packet.metadata) == (MID, EXIT)


def test_a_node_between_forwards_without_a_name_of_its_own() -> None:
    play = Playbook("relay", peers=["one.4", "exit.2"])
    _ = play.resolve(RouteTo(2, came_from=4), Route((EXIT,)))

    effects = play.packet("bob.4", ingress="one.4", connection=9, metadata=EXIT)

    [(packet, to)] = sent(effects)
    assert (to, packet.source, packet.connection, packet.metadata) == (
        EXIT, address("bob.4"), 9, b"",
    )  # fmt: skip
    assert all(each.decision.stages == () for each in installed(effects).values())
    back = play.packet("exit.2", connection=9, metadata=BACK)
    assert [(p.source, p.connection, to) for p, to in sent(back)] == [(EXIT, 9, address("one.4"))]


def test_nobody_takes_the_circuit_of_another_at_a_node_between() -> None:
    play = Playbook("relay", peers=["one.4", "two.5", "exit.2"])
    for domain in (4, 5):
        _ = play.resolve(RouteTo(2, came_from=domain), Route((EXIT,)))
    _ = play.packet("bob.4", ingress="one.4", connection=9, metadata=EXIT)

    effects = play.packet("eve.5", ingress="two.5", connection=9, metadata=EXIT)

    assert dropped(effects) == ["circuit_in_use"]
    [(_, to)] = sent(play.packet("exit.2", connection=9, metadata=BACK))
    assert to == address("one.4")


@pytest.mark.parametrize(
    ("operator", "exit_node", "word"),
    [
        (OWN, EXIT, "same_operator"),
        (None, EXIT, "unknown_operator"),
        (ACME, address("other"), "same_operator"),
        (ACME, SELF, "same_operator"),
    ],
)
def test_an_exit_of_the_same_operator_is_refused_and_the_host_hears_why(
    operator: Operator | None, exit_node: Address, word: str
) -> None:
    play = first_node("exit.2", "other", operator=operator)

    effects = go(play, exit=exit_node)

    assert dropped(effects) == [word]
    assert ended(effects) == [(word, ALICE)]
    said = next(each.message for each in effects if isinstance(each, SendControl))
    assert said == Ended(ALICE, eight(7), exit_node, word)


def test_who_runs_the_exit_what_it_is_and_the_way_are_asked_at_once() -> None:
    play = Playbook("relay", peers=["alice", "exit.2"])
    packet = play.make_packet("alice", connection=7, metadata=EXIT)

    assert (
        play
        >> PacketArrived(packet)
        << Resolve(OperatorOf(2))
        << Resolve(NodeAt(EXIT))
        << HoldPacket(until=RouteTo(2), timeout_s=1.0)
    )

    assert play.resolve(OperatorOf(2), ACME) == ()
    assert play.resolve(NodeAt(EXIT), Node(EXIT, (16, 68))) == ()
    assert sent(play.resolve(RouteTo(2), Route((EXIT,))))


@pytest.mark.parametrize("record", [None, Node(EXIT, (16,))])
def test_an_exit_is_a_node_that_runs_the_relay_and_no_host(record: Node | None) -> None:
    play = first_node("exit.2")
    _ = play.resolve(NodeAt(EXIT), record)

    effects = go(play)

    assert dropped(effects) == ["bad_exit"]
    assert ended(effects) == [("bad_exit", ALICE)]


def test_an_exit_that_nothing_leads_to_is_said() -> None:
    play = first_node(hops=())

    effects = go(play)

    assert dropped(effects) == ["exit_unreachable"]
    assert ended(effects) == [("exit_unreachable", ALICE)]


def test_what_a_node_between_cannot_reach_is_told_to_the_host() -> None:
    play = first_node("mid.3", hops=(MID,))
    [(packet, _)] = sent(go(play))

    effects = play.control(
        "mid.3", Ended(packet.source, eight(packet.connection), EXIT, "exit_unreachable")
    )

    said = [each.message for each in effects if isinstance(each, SendControl)]
    assert said == [Ended(ALICE, eight(7), EXIT, "exit_unreachable")]
    assert any(isinstance(each, RevokeDecisions) for each in effects)
    assert play.statistics().ephemeral.used_bytes == 0


def test_an_end_that_is_told_by_somebody_else_ends_nothing() -> None:
    play = first_node("mid.3", "eve.9", hops=(MID,))
    [(packet, _)] = sent(go(play))
    said = Ended(packet.source, eight(packet.connection), EXIT, "hop_lost")

    assert play.control("eve.9", said) == ()
    assert sent(play.packet(EXIT, ingress="mid.3", connection=packet.connection, metadata=BACK))


def test_a_host_that_closes_a_circuit_leaves_nothing_here_or_behind() -> None:
    play = first_node("mid.3", hops=(MID,))
    [(packet, _)] = sent(go(play))

    effects = play.control("alice", Ended(ALICE, eight(7), EXIT, "closed"))

    said = [(each.message, each.to) for each in effects if isinstance(each, SendControl)]
    assert said == [(Ended(packet.source, eight(packet.connection), EXIT, "closed"), MID)]
    late = go(play)
    assert (dropped(late), ended(late)) == (["circuit_closed"], [])
    assert play.statistics().ephemeral.entries == 1, "that it was closed just now"
    _ = play.advance(3.0)
    know(play, hops=(MID,))
    assert sent(go(play))


def test_when_the_pipe_to_the_exit_goes_down_its_hosts_hear_it_at_once() -> None:
    play = first_node("bob", "exit.2")
    _ = go(play)
    _ = play.packet("bob", connection=8, metadata=EXIT)

    effects = play.peer_down("exit.2")

    assert sorted(ended(effects)) == [("hop_lost", ALICE), ("hop_lost", address("bob"))]
    assert dropped(go(play)) == ["exit_unreachable"], "not while it would only wait"
    _ = play.advance(1.5)
    know(play)
    assert sent(go(play)), "which calls it"


def test_when_another_way_is_up_the_circuit_takes_it() -> None:
    other = address("other.4")
    play = first_node("mid.3", "other.4", hops=(MID, other))
    [(before, _)] = sent(go(play))

    assert ended(play.peer_down("mid.3")) == []

    [(after, to)] = sent(go(play))
    assert to == other
    assert (after.source, after.connection) == (before.source, before.connection)
    assert sent(play.packet(EXIT, ingress=other, connection=after.connection, metadata=BACK))
    stale = play.packet(EXIT, ingress="mid.3", connection=after.connection, metadata=BACK)
    assert dropped(stale) == ["unknown_circuit"]


def test_a_host_that_is_gone_leaves_nothing() -> None:
    play = first_node("exit.2", hold_s=0.5)
    _ = go(play)

    _ = play.peer_down("alice")
    _ = play.advance(1.0)

    assert play.statistics().ephemeral.used_bytes == 0


@pytest.mark.slow
def test_many_circuits_of_a_lost_peer_end_in_turns() -> None:
    play = first_node("exit.2", circuits_per_host=600)
    for connection in range(600):
        _ = go(play, connection=connection)

    effects = play.peer_down("exit.2")
    assert len(ended(effects)) == 256
    effects += play.advance(0.1)

    assert len(ended(effects)) == 600


def test_a_circuit_that_is_not_used_is_forgotten() -> None:
    play = first_node("exit.2")
    _ = go(play)

    _ = play.advance(100.0)
    know(play)
    assert sent(go(play)), "which makes it younger"
    _ = play.advance(100.0)
    assert play.statistics().ephemeral.used_bytes > 0
    _ = play.advance(100.0)

    assert play.statistics().ephemeral.used_bytes == 0


def test_limits_are_by_host_by_node_and_for_all() -> None:
    play = first_node("bob", "exit.2", circuits_per_host=2, circuits=3)
    assert [dropped(go(play, connection=each)) for each in range(3)] == [
        [], [], ["too_many_circuits"],
    ]  # fmt: skip
    assert ended(go(play, connection=3)) == [("too_many_circuits", ALICE)]
    assert sent(go(play, connection=0)), "what is known stays"

    assert sent(play.packet("bob", connection=1, metadata=EXIT))
    assert dropped(play.packet("bob", connection=2, metadata=EXIT)) == ["too_many_circuits"]


def test_what_comes_back_for_no_circuit_is_dropped() -> None:
    play = first_node("exit.2")

    assert dropped(play.packet("exit.2", connection=5, metadata=BACK)) == ["unknown_circuit"]


@pytest.mark.parametrize("metadata", [b"", b"\x02", bytes(15), bytes(17), bytes(255)])
def test_metadata_that_is_neither_exit_nor_mark_is_refused(metadata: bytes) -> None:
    play = first_node("exit.2")

    assert dropped(play.packet("alice", metadata=metadata)) == ["bad_exit"]


def test_a_packet_for_this_exit_from_a_node_that_did_not_take_the_exit_off_is_refused() -> None:
    play = Playbook("relay", peers=["one.4"])

    assert dropped(play.packet("bob.4", ingress="one.4", metadata=SELF)) == ["bad_exit"]


def test_a_circuit_in_use_cannot_be_forgotten_by_configuration() -> None:
    with pytest.raises(ConfigError, match="circuit_s: 60 seen, more than decision_s = 60 allowed"):
        _ = Playbook("relay", config={"circuit_s": 60.0})


def crossroads(*, cache_entries: int = 1_024) -> Crossroads:
    """Return a first node with a real datapath, between alice and an exit."""
    records: dict[Query, Record] = {
        OperatorOf(2): ACME, NodeAt(EXIT): Node(EXIT, (68,)), RouteTo(2): Route((EXIT,)),
    }  # fmt: skip
    return Crossroads(
        [load_service("relay")], ["alice", "exit.2"], records=records, cache_entries=cache_entries
    )


def passed(*, cache_entries: int, packets: int = 3) -> list[Received]:
    """Let a host and an exit talk by a real datapath; return what both got."""
    rig = crossroads(cache_entries=cache_entries)
    received: list[Received] = []
    for number in range(packets):
        rig.send("alice", 68, b"there %d" % number, metadata=EXIT, connection=7)
        rig.settle()
        there = rig.take_received()
        rig.send("exit.2", 68, b"back", metadata=BACK, connection=there[-1].connection)
        rig.settle()
        received += [*there, *rig.take_received()]
    return received


def test_without_a_cache_the_same_gets_through() -> None:
    with_cache = passed(cache_entries=1_024)

    assert [(each.host, each.payload) for each in with_cache[:2]] == [
        ("exit.2", b"there 0"), ("alice", b"back"),
    ]  # fmt: skip
    assert with_cache[0].metadata == b""
    assert with_cache[0].source not in {ALICE, address("node")}
    assert passed(cache_entries=0) == with_cache


def test_only_the_first_packet_of_each_way_needs_the_service() -> None:
    rig = crossroads()
    rig.send("alice", 68, b"first", metadata=EXIT, connection=7)
    rig.settle()
    [first] = rig.take_received()

    rig.send("alice", 68, b"second", metadata=EXIT, connection=7)
    rig.send("exit.2", 68, b"back", metadata=BACK, connection=first.connection)
    _ = rig.exchange() + rig.exchange()

    assert {each.payload for each in rig.take_received()} == {b"second", b"back"}
