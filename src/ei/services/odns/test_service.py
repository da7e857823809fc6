"""What oblivious DNS promises, as scripts of events: at a proxy, between, and at a target."""

import struct
from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from ei.records.keys import make_keys
from ei.sdk import (
    AtNode,
    Count,
    DropPacket,
    Effect,
    HoldPacket,
    Legacy,
    Node,
    NodeAt,
    OpenStream,
    Operator,
    OperatorOf,
    OwnStatement,
    Packet,
    PacketArrived,
    Resolve,
    Route,
    RouteTo,
    SendPacket,
)
from ei.services.odns.messages import (
    Keys,
    ask,
    back,
    keys,
    keys_wanted,
    pass_on,
    query_plaintext_bytes,
    read_keys,
    read_refusal,
    refused,
)
from ei.services.odns.odoh import Asked, open_answer, read_configs, seal_query
from ei.testing import FarEnd, Playbook, address, state

ALICE, SELF, BORDER = address("alice"), address("self"), address("border.2")
NODE = make_keys(b"node" * 8)
TARGET = NODE.address(2)
PROXY, NOBODY = address("proxy.1"), address("nobody.1")
RESOLVER = "192.0.2.53:53"
QUESTION = b"\3www\7example\0\0\1\0\1"
DNS = struct.pack("!HHHHHH", 0, 0x0100, 1, 0, 0, 0) + QUESTION
OTHER = DNS.replace(b"www", b"ftp")


def answer_to(dns: bytes, *, size: int = 0) -> bytes:
    return dns[:2] + b"\x81\x80" + dns[4:] + b"a" * size


def arrive(play: Playbook, packet: Packet) -> tuple[Effect, ...]:
    return play.deliver(PacketArrived(packet))


# -- proxy -------------------------------------------------------------------------------------


def proxy(**config: object) -> Playbook:
    play = Playbook("odns", peers=["alice", BORDER], config=config)
    _ = play.resolve(NodeAt(TARGET), Node(TARGET, (16, 66)))
    _ = play.resolve(NodeAt(ALICE), None)
    _ = play.resolve(OperatorOf(2), Operator(2, "isp-b", is_own=False))
    _ = play.resolve(RouteTo(2), Route((BORDER,)))
    return play


def asked(play: Playbook, payload: bytes = b"sealed", **fields: object) -> tuple[Effect, ...]:
    packet = play.make_packet("alice", metadata=ask(TARGET), payload=payload, connection=7)
    return arrive(play, replace(packet, **fields))


def sent(effects: tuple[Effect, ...]) -> SendPacket:
    (found,) = [effect for effect in effects if isinstance(effect, SendPacket)]
    return found


def word_of(effects: tuple[Effect, ...]) -> str | None:
    return read_refusal(sent(effects).packet.payload)


def test_what_a_proxy_passes_on_has_nothing_of_the_host() -> None:
    play = proxy()

    onward = sent(asked(play, traffic_class=5, hop_limit=9, is_traced=True))
    again = sent(asked(play))

    packet = onward.packet
    assert (onward.to, packet.payload, packet.metadata) == (
        BORDER,
        b"sealed",
        pass_on(TARGET, SELF),
    )
    assert packet.source not in {ALICE, SELF}
    assert (packet.traffic_class, packet.hop_limit, packet.is_traced) == (0, 64, False)
    assert packet.is_covered
    assert packet.connection != 7
    assert packet.connection != again.packet.connection
    assert packet.source != again.packet.source


def test_the_answer_goes_to_the_host_that_asked_and_to_it_once() -> None:
    play = proxy()
    onward = sent(asked(play)).packet
    answer = Packet(
        66, BORDER, onward.source, onward.connection, back(SELF), b"answer", is_covered=True
    )

    given = sent(arrive(play, answer))
    again = arrive(play, answer)

    assert (given.to, given.packet.source, given.packet.connection) == (ALICE, ALICE, 7)
    assert (given.packet.metadata, given.packet.payload) == (back(), b"answer")
    assert again == (DropPacket("unknown_answer"),)


def test_an_answer_that_comes_too_late_or_to_nothing_is_dropped() -> None:
    play = proxy(answer_s=1.0)
    onward = sent(asked(play)).packet
    _ = play.advance(1.1)

    late = play.packet("border.2", connection=onward.connection, metadata=back(SELF))

    assert late == (DropPacket("unknown_answer"),)


@pytest.mark.parametrize(
    ("operator", "word"),
    [(Operator(2, "isp-a", is_own=True), "same_operator"), (None, "unknown_operator")],
)
def test_a_target_of_the_same_operator_or_of_nobody_is_refused(
    operator: Operator | None, word: str
) -> None:
    play = proxy()
    _ = play.resolve(OperatorOf(2), operator)

    effects = asked(play)

    assert effects[0] == Count(word)
    assert (sent(effects).to, word_of(effects)) == (ALICE, word)


@pytest.mark.parametrize("node", [None, Node(TARGET, (16,))])
def test_nothing_is_sent_to_hosts_and_to_nodes_that_do_not_offer_it(node: Node | None) -> None:
    play = proxy()
    _ = play.resolve(NodeAt(TARGET), node)

    assert word_of(asked(play)) == "no_target"


def test_what_is_not_known_yet_is_waited_for() -> None:
    play = Playbook("odns", peers=["alice", BORDER])

    assert asked(play) == (Resolve(NodeAt(TARGET)), HoldPacket(OperatorOf(2), 1.0))
    assert play.resolve(NodeAt(TARGET), Node(TARGET, (66,))) == ()
    held = play.resolve(OperatorOf(2), Operator(2, "isp-b", is_own=False))
    assert held == (HoldPacket(RouteTo(2), 1.0),)
    assert sent(play.resolve(RouteTo(2), Route((BORDER,)))).to == BORDER


def test_this_node_itself_is_no_target_of_its_own_hosts() -> None:
    play = proxy(resolver=RESOLVER)

    assert word_of(play.packet("alice", metadata=ask(SELF))) == "no_proxy"


def test_without_a_way_or_with_one_that_is_down_a_host_is_told_at_once() -> None:
    play = proxy()
    _ = play.peer_down(BORDER)
    down = asked(play)
    _ = play.resolve(RouteTo(2), None)

    assert (word_of(down), word_of(asked(play))) == ("no_way", "no_way")


def test_a_host_has_its_rate_and_another_is_not_touched_by_it() -> None:
    play = proxy(source_per_s=10.0, source_burst=3.0)
    words = [word_of(asked(play)) for _ in range(5)]
    bob = play.packet("bob", metadata=ask(TARGET))
    _ = play.advance(0.1)

    assert words == [None, None, None, "too_many_of_source", "too_many_of_source"]
    assert word_of(bob) is None
    assert word_of(asked(play)) is None


def test_hosts_of_others_have_no_proxy_here() -> None:
    play = proxy()

    assert asked(play, ingress=BORDER, source=address("eve.2")) == (DropPacket("bad_source"),)
    assert word_of(asked(play, ingress=address("mate"))) is None


def answered(play: Playbook, onward: Packet, payload: bytes) -> bytes:
    """The target answers a packet of the proxy's; returns what the host gets."""
    where = (BORDER, onward.source, onward.connection)
    return sent(
        arrive(play, Packet(66, *where, back(SELF), payload, is_covered=True))
    ).packet.payload


def told_keys(play: Playbook, configs: bytes) -> bytes:
    body = msgspec.msgpack.encode(Keys(int(play.now_s) + 4, configs))
    return keys(state(NODE, 2, 66, body))


def test_all_hosts_get_the_same_keys_of_a_target_and_it_is_asked_once() -> None:
    play = proxy()
    first = sent(asked(play, keys_wanted())).packet
    second = sent(asked(play, keys_wanted())).packet

    alices = answered(play, first, one := told_keys(play, b"one"))
    bobs = answered(play, second, told_keys(play, b"marked"))
    third = sent(play.packet("bob", metadata=ask(TARGET), payload=keys_wanted()))

    assert first.payload == keys_wanted()
    assert alices == bobs == one
    assert (third.to, third.packet.payload) == (address("bob"), one)


def test_keys_that_are_of_no_use_any_more_are_asked_for_anew_and_by_nobody() -> None:
    play = proxy()
    _ = answered(play, sent(asked(play, keys_wanted())).packet, told_keys(play, b"one"))

    anew = sent(asked(play, keys_wanted(is_anew=True))).packet
    alices = answered(play, anew, two := told_keys(play, b"two"))

    assert anew.payload == keys_wanted()
    assert alices == two == sent(asked(play, keys_wanted())).packet.payload


def test_keys_are_shared_for_half_of_their_time_since_hosts_renew_them_then() -> None:
    play = proxy()
    _ = answered(play, sent(asked(play, keys_wanted())).packet, told_keys(play, b"one"))
    _ = play.advance(2.1)

    assert sent(asked(play, keys_wanted())).to == BORDER


def test_what_the_target_has_not_signed_is_not_shared() -> None:
    play = proxy()
    forged = told_keys(play, b"one")[:-1] + b"?"

    given = answered(play, sent(asked(play, keys_wanted())).packet, forged)

    assert given == forged
    assert sent(asked(play, keys_wanted())).to == BORDER


# -- between -----------------------------------------------------------------------------------


def test_a_node_between_carries_both_ways_as_it_is() -> None:
    play = Playbook("odns", node="mid.3", peers=["near.1", "far.2"])
    _ = play.resolve(RouteTo(2, came_from=1), Route((address("far.2"),)))
    _ = play.resolve(RouteTo(1, came_from=2), Route((address("near.1"),)))
    there = play.make_packet(NOBODY, ingress="near.1", metadata=pass_on(TARGET, PROXY))
    here = play.make_packet(NOBODY, ingress="far.2", metadata=back(PROXY))

    assert arrive(play, there) == (SendPacket(there, address("far.2")),)
    assert arrive(play, here) == (SendPacket(here, address("near.1")),)


@pytest.mark.parametrize("metadata", [b"", b"\3", ask(TARGET)[:-1], pass_on(TARGET, PROXY) + b"?"])
def test_metadata_that_say_nothing_are_dropped(metadata: bytes) -> None:
    assert proxy().packet("alice", metadata=metadata) == (DropPacket("bad_message"),)


def test_what_is_not_covered_could_be_told_by_its_bytes_and_is_dropped() -> None:
    assert asked(proxy(), is_covered=False) == (DropPacket("bad_message"),)


def test_a_host_does_not_get_past_its_proxy() -> None:
    play = proxy()

    straight = play.packet("alice", metadata=pass_on(TARGET, ALICE))
    there = target().packet("alice", metadata=pass_on(TARGET, ALICE), payload=b"sealed")

    assert straight == there == (DropPacket("no_proxy"),)


# -- target ------------------------------------------------------------------------------------


def target(**config: object) -> Playbook:
    play = Playbook(
        "odns", node=TARGET, peers=["border.1", "other.1"], config={"resolver": RESOLVER, **config}
    )
    _ = play.resolve(OperatorOf(1), Operator(1, "isp-a", is_own=False))
    for peer in ("border.1", "other.1"):
        _ = play.resolve(NodeAt(address(peer)), Node(address(peer), (66,)))
    for each in ports(play):
        _ = each.accept()
    return play


def ports(play: Playbook) -> list[FarEnd]:
    opened = [effect for effect in play.started if isinstance(effect, OpenStream)]
    return [play.far_end(each.stream) for each in opened]


def reached(
    play: Playbook, payload: bytes, connection: int = 5, by: str = "border.1"
) -> tuple[Effect, ...]:
    return play.packet(
        NOBODY,
        ingress=by,
        connection=connection,
        metadata=pass_on(TARGET, PROXY),
        payload=payload,
    )


def body_of(play: Playbook) -> bytes:
    _ = play.resolve(OperatorOf(1), Operator(1, "isp-a", is_own=False))
    (held,) = reached(play, keys_wanted())
    assert isinstance(held, HoldPacket)
    assert isinstance(held.until, OwnStatement)
    return held.until.body


def sealed(play: Playbook, dns: bytes = DNS, seed: bytes = b"s" * 32) -> tuple[bytes, Asked]:
    body = body_of(play)
    effects = play.resolve(OwnStatement(body), state(NODE, 2, 66, body))
    told = read_keys(sent(effects).packet.payload, node=TARGET)
    (config,) = read_configs(told.configs)
    size = query_plaintext_bytes(len(dns))
    return seal_query(config, dns, plaintext_bytes=size, seed=seed)


def heard(play: Playbook) -> tuple[FarEnd, bytes]:
    """What the resolver heard, and where."""
    ((port, datagram),) = [(port, data) for port in ports(play) if (data := port.read())]
    length = int.from_bytes(datagram[:2], "little")
    assert len(datagram) == 2 + length
    return port, datagram[2:]


def told(port: FarEnd, dns: bytes) -> tuple[Effect, ...]:
    return port.write(len(dns).to_bytes(2, "little") + dns)


def test_a_question_is_answered_to_who_sealed_it() -> None:
    play = target()
    message, asked = sealed(play)

    effects = reached(play, message)
    port, question = heard(play)
    answer = sent(told(port, answer_to(question, size=60)))

    assert effects[-1] == DropPacket("asked")
    assert port.to == Legacy("192.0.2.53", 53, "udp")
    assert question[2:] == DNS[2:]
    assert (answer.to, answer.packet.connection) == (address("border.1"), 5)
    assert (answer.packet.source, answer.packet.metadata) == (NOBODY, back(PROXY))
    assert open_answer(asked, answer.packet.payload) == answer_to(DNS, size=60)


def test_the_resolver_hears_numbers_that_were_drawn() -> None:
    play = target()
    numbers = set[bytes]()
    for count in range(20):
        message, _ = again(play, count) if count else sealed(play, seed=bytes(32))
        _ = reached(play, message, connection=count)
        numbers.add(heard(play)[1][:2])

    assert len(numbers) > 15


def again(play: Playbook, count: int, dns: bytes = DNS) -> tuple[bytes, Asked]:
    """Another question by keys that are known already."""
    effects = reached(play, keys_wanted())
    (config,) = read_configs(read_keys(sent(effects).packet.payload, node=TARGET).configs)
    size = query_plaintext_bytes(len(dns))
    return seal_query(config, dns, plaintext_bytes=size, seed=bytes((count,)) * 32)


def test_an_answer_with_another_number_or_name_is_none() -> None:
    play = target()
    message, asked = sealed(play)
    _ = reached(play, message)
    port, question = heard(play)
    number = bytes((question[0] ^ 1,)) + question[1:]

    forged = told(port, answer_to(number)) + told(port, answer_to(question[:2] + OTHER[2:]))
    right = told(port, answer_to(question))

    assert [effect for effect in forged if isinstance(effect, Count)] == [
        Count("not_of_a_question")
    ] * 2
    assert open_answer(asked, sent(right).packet.payload) == answer_to(DNS)


def test_a_question_that_comes_again_is_dropped() -> None:
    play = target(replay_s=10.0)
    message, _ = sealed(play)
    _ = reached(play, message)

    assert reached(play, message, connection=6) == (DropPacket("asked_again"),)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda message: message[:100], "not_opened"),
        (lambda message: message[:-1] + b"?", "not_opened"),
        (lambda message: message[:40] + bytes(32) + message[72:], "not_opened"),
        (lambda message: message[:3] + bytes(32) + message[35:], "unknown_key"),
        (lambda _: b"", "not_opened"),
    ],
)
def test_what_was_changed_cut_or_sealed_to_other_keys_is_refused(
    change: Callable[[bytes], bytes], word: str
) -> None:
    play = target()
    message, _ = sealed(play)

    effects = reached(play, change(message))

    assert effects[0] == Count(word)
    assert word_of(effects) == word


@pytest.mark.parametrize("dns", [b"?", answer_to(DNS), DNS[:-3], DNS[:12] + b"\xc0\x0c" + DNS[14:]])
def test_what_is_no_question_is_refused(dns: bytes) -> None:
    play = target()
    message, _ = sealed(play, dns)

    assert word_of(reached(play, message)) == "bad_question"


def test_keys_change_and_the_ones_before_open_for_a_while() -> None:
    play = target(keys_s=100.0, overlap_s=50.0, socket_s=1_000.0)
    before = body_of(play)
    first, second = (sealed_to(before, seed)[0] for seed in (b"s", b"t"))
    _ = play.advance(120.0)
    after = body_of(play)

    effects = reached(play, first)
    _ = play.advance(31.0)
    _ = play.resolve(OperatorOf(1), Operator(1, "isp-a", is_own=False))

    assert before != after
    assert effects[-1] == DropPacket("asked")
    assert word_of(reached(play, second)) == "unknown_key"


def sealed_to(body: bytes, seed: bytes) -> tuple[bytes, Asked]:
    told = read_keys(keys(state(NODE, 2, 66, body)), node=TARGET)
    (config,) = read_configs(told.configs)
    return seal_query(config, DNS, plaintext_bytes=384, seed=seed * 32)


def test_after_a_restart_there_are_other_keys() -> None:
    play = target()
    before = body_of(play)
    play.restart()

    assert body_of(play) == before  # of the same seed, as each script is; on a node it is new


def test_what_a_silent_resolver_leaves_is_counted_and_makes_room_however_much_it_is() -> None:
    play = target(asked=4_096, asked_s=2.0)
    message, _ = sealed(play)
    _ = reached(play, message)
    for count in range(1, 40):
        _ = reached(play, again(play, count)[0], connection=count)

    effects = play.advance(4.0)

    assert [effect for effect in effects if isinstance(effect, Count)] == [
        Count("resolver_silent", 40)
    ]


def test_a_port_that_breaks_is_replaced_and_until_then_who_asks_is_told() -> None:
    play = target(sockets=1)
    message, _ = sealed(play)
    _ = reached(play, message)
    port, _ = heard(play)

    _ = port.reset()
    word = word_of(reached(play, again(play, 1)[0]))
    renewed = play.advance(1.0)

    assert word == "resolver_lost"
    assert any(isinstance(effect, OpenStream) for effect in renewed)


def test_ports_are_replaced_after_a_while() -> None:
    play = target(sockets=1, socket_s=5.0, asked_s=1.0)
    (port,) = ports(play)

    effects = play.advance(5.0)
    _ = play.advance(2.0)

    assert sum(isinstance(effect, OpenStream) for effect in effects) == 1
    assert port.closed == "closed"


def test_what_is_too_long_for_a_packet_is_to_be_asked_for_by_a_stream() -> None:
    play = target()
    message, _ = sealed(play)
    _ = reached(play, message)
    port, question = heard(play)

    assert word_of(told(port, answer_to(question, size=1_300))) == "too_long"


def test_one_peer_leaves_room_for_another() -> None:
    play = target(asked=8, asked_s=60.0)
    words: list[str | None] = []
    message, _ = sealed(play)
    _ = reached(play, message)
    for count in range(1, 6):
        effects = reached(play, again(play, count)[0], connection=count)
        words.append(None if effects[-1] == DropPacket("asked") else word_of(effects))
    other = reached(play, again(play, 99)[0], by="other.1")

    assert words == [None, None, None, "too_many", "too_many"]
    assert other[-1] == DropPacket("asked")


def test_a_peer_has_its_rate() -> None:
    play = target(peer_per_s=1.0, peer_burst=1.0)
    message, _ = sealed(play)
    _ = reached(play, message)

    assert word_of(reached(play, again(play, 1)[0])) == "too_many"


def test_a_node_without_a_resolver_is_no_target() -> None:
    play = Playbook("odns", node=TARGET, peers=["border.1"])
    _ = play.resolve(OperatorOf(1), Operator(1, "isp-a", is_own=False))

    assert play.started == play.timer(b"ports") == ()
    assert word_of(reached(play, keys_wanted())) == "no_resolver"
    assert word_of(reached(play, b"\1sealed")) == "no_resolver"


# -- streams -----------------------------------------------------------------------------------


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(2, "big") + payload


def test_a_long_question_is_asked_over_tcp() -> None:
    play = target()
    message, asked = sealed(play)
    near = play.open_stream("border.1", pass_on(TARGET, PROXY))
    _ = near.write(framed(message)[:100])
    _ = near.write(framed(message)[100:])
    resolver = play.far_end(near.stream | 1)
    _ = resolver.accept()

    question = resolver.read()[2:]
    _ = resolver.write(framed(answer_to(question, size=30_000)))
    payload = near.read()[2:]

    assert resolver.to == Legacy("192.0.2.53", 53)
    assert question[2:] == DNS[2:]
    assert open_answer(asked, payload) == answer_to(DNS, size=30_000)
    assert near.is_ended


def test_a_proxy_joins_the_streams_of_host_and_target() -> None:
    play = proxy()
    alice = play.open_stream("alice", ask(TARGET))
    far = play.far_end(alice.stream | 1)
    _ = far.accept(BORDER)

    _ = alice.write(b"sealed")

    assert far.to == AtNode(BORDER, pass_on(TARGET, SELF))
    assert far.read() == b"sealed"


def test_a_stream_waits_for_what_is_not_known_yet() -> None:
    play = Playbook("odns", peers=["alice", BORDER])
    alice = play.open_stream("alice", ask(TARGET))

    assert alice.effects == (Resolve(NodeAt(ALICE)),)
    _ = play.resolve(NodeAt(ALICE), None)
    _ = play.resolve(NodeAt(TARGET), Node(TARGET, (66,)))
    _ = play.resolve(OperatorOf(2), Operator(2, "isp-b", is_own=False))
    effects = play.resolve(RouteTo(2), Route((BORDER,)))
    assert any(isinstance(effect, OpenStream) for effect in effects)


def test_a_stream_is_refused_as_a_packet_is() -> None:
    play = proxy()
    _ = play.resolve(OperatorOf(2), Operator(2, "isp-a", is_own=True))

    alice = play.open_stream("alice", ask(TARGET))

    assert alice.read()[2:] == refused("same_operator")


def test_a_stream_of_a_host_does_not_get_past_its_proxy_either() -> None:
    near = proxy().open_stream("alice", pass_on(TARGET, ALICE))
    there = target()
    _ = there.resolve(NodeAt(ALICE), None)
    straight = there.open_stream("alice", pass_on(TARGET, ALICE))

    assert near.read()[2:] == straight.read()[2:] == refused("no_proxy")


def test_a_target_refuses_proxies_of_its_own_operator() -> None:
    play = target()
    _ = play.resolve(OperatorOf(1), Operator(1, "isp-a", is_own=True))
    near = play.open_stream("border.1", pass_on(TARGET, PROXY))

    assert word_of(reached(play, keys_wanted())) == "same_operator"
    assert near.read()[2:] == refused("same_operator")


def test_who_asks_by_a_stream_is_told_when_an_end_is_not_there() -> None:
    play = proxy()
    alice = play.open_stream("alice", ask(TARGET))
    _ = play.far_end(alice.stream | 1).refuse("unreachable")
    there = target()
    message, _ = sealed(there)
    near = there.open_stream("border.1", pass_on(TARGET, PROXY))
    _ = near.write(framed(message))
    _ = there.far_end(near.stream | 1).refuse()

    assert alice.read()[2:] == refused("no_way")
    assert near.read()[2:] == refused("resolver_lost")


def test_an_answer_over_tcp_to_another_question_is_none() -> None:
    play = target()
    message, _ = sealed(play)
    near = play.open_stream("border.1", pass_on(TARGET, PROXY))
    _ = near.write(framed(message))
    resolver = play.far_end(near.stream | 1)
    _ = resolver.accept()

    _ = resolver.write(framed(answer_to(resolver.read()[2:4] + OTHER[2:])))

    assert near.read()[2:] == refused("resolver_lost")
