"""A node tells who handed it a packet what became of it, as far as its operator wants, signed."""

from collections.abc import Sequence
from functools import partial

import pytest

from ei.attachment import Explain, Explained, decode, encode
from ei.attachment.statements import STATEMENTS, Part, Statement
from ei.node.datapath import Trace
from ei.node.explaining import HOST_RATE, MAX_ANSWERS, WAIT_S, Explaining, Explains
from ei.node.traces import Traces
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.record_set import verify_records
from ei.sdk import Address, Manifest

DELIVERY = Manifest(id=16, name="delivery", version="0.1.0", summary="x")
ONION = Manifest(id=67, name="onion", version="1.0.0", summary="x", receipts=False)
MANIFESTS = {16: DELIVERY, 67: ONION}

A1, B1, B2, C1, D, ALICE, BOB, MALLORY = (
    make_keys(letter * 32) for letter in (b"1", b"2", b"3", b"4", b"d", b"a", b"b", b"m")
)
DOMAINS = {name: Issuer(name, number, D, expires_unix_s=2_000)
           for number, name in enumerate(("isp-a", "isp-b", "isp-c"), 1)}  # fmt: skip


def node_record(keys: Keys, name: str) -> bytes:
    domain = DOMAINS[name.partition(".")[2]]
    return domain.node(keys, name, endpoints=("192.0.2.1:3535",), services=(16,))


RECORDS = verify_records(
    [
        *(domain.domain() for domain in DOMAINS.values()),
        node_record(A1, "a1.isp-a"), node_record(B1, "b1.isp-b"),
        node_record(B2, "b2.isp-b"), node_record(C1, "c1.isp-c"),
        DOMAINS["isp-a"].enrol(ALICE, "alice.isp-a"), DOMAINS["isp-c"].enrol(BOB, "bob.isp-c"),
    ],
    trust=dict.fromkeys(DOMAINS, D.identity_key),
    unix_s=1_000,
)  # fmt: skip
AT = {name: RECORDS.names[name] for name in RECORDS.names}
ASKED = Explain(7, AT["alice.isp-a"], 16, 9)


def step(ingress: str, verdict: str, *, how: str = "cached", at_ns: int = 5_000) -> Trace:
    """A step of alice's packet; `verdict` may be the name of who got it."""
    if verdict in AT:
        verdict = f"forwarded to {AT[verdict].hex()}"
    source = AT["alice.isp-a"]
    return (at_ns, source, 16, 9, how, verdict, 4_000, [16], AT[ingress])


class World:
    """Nodes that answer one another at once."""

    def __init__(self, **explains: Explains) -> None:
        self.now_s = 0.0
        self.remembered: dict[str, list[Trace]] = {}
        self.nodes: dict[Address, Explaining] = {}
        self.heard: list[Statement] = []
        self.asked: list[Address] = []
        for name, keys in (("a1.isp-a", A1), ("b1.isp-b", B1), ("b2.isp-b", B2), ("c1.isp-c", C1)):
            kept = self.remembered[name] = []
            self.nodes[AT[name]] = Explaining(
                keys,
                AT[name],
                traces=Traces(name, MANIFESTS, take=partial(drain, kept)),
                manifests=MANIFESTS,
                bundles={},
                explains=explains.get(name.partition(".")[2].replace("-", "_"), "hops"),
            )

    def packet(self, *way: str) -> None:
        """Let a packet have gone this way: hosts and nodes, and last its verdict."""
        for before, here, after in zip(way, way[1:], way[2:], strict=False):
            self.remembered[here].append(step(before, after))

    def ask(self, question: Explain = ASKED, *, by: str = "alice.isp-a", at: str = "a1.isp-a") -> (
        list[tuple[str, str, str]]
    ):  # fmt: skip
        """Ask a node, and return (who, fate, reason or to) of what comes back."""
        self.carry(AT[by], AT[at], question)
        return [
            (RECORDS.name_of(said.node), said.fate, said.reason or name_of(said.to))
            for said in self.heard
        ]

    def carry(self, sender: Address, to: Address, message: Explain | Explained) -> None:
        if to not in self.nodes:
            assert isinstance(message, Explained)
            said, signer = STATEMENTS.open(message.statement)
            assert RECORDS.nodes[said.node].identity_key == signer
            assert said.number == message.number
            self.heard.append(said)
            return
        self.asked.append(to)
        for peer, sent in self.nodes[to].take(self.now_s, sender, message, records=RECORDS):
            read = decode(sent)
            assert isinstance(read, Explain | Explained)
            self.carry(to, peer, read)

    def refused(self, name: str) -> dict[str, int]:
        return dict(self.nodes[AT[name]].refused)


def drain(kept: list[Trace]) -> list[Trace]:
    taken = kept[:]
    kept.clear()
    return taken


def name_of(to: bytes) -> str:
    if len(to) == 6:
        return f"domain {int.from_bytes(to[2:], 'big')}"
    return RECORDS.name_of(to) if to else ""


def test_each_node_on_the_way_speaks_for_itself() -> None:
    world = World()
    world.packet("alice.isp-a", "a1.isp-a", "b1.isp-b", "c1.isp-c", "bob.isp-c")

    assert world.ask() == [
        ("a1.isp-a", "forwarded", "b1.isp-b"),
        ("b1.isp-b", "forwarded", "c1.isp-c"),
        ("c1.isp-c", "forwarded", "bob.isp-c"),
    ]
    assert world.heard[0].parts == (Part("delivery@0.1.0", "source"),)
    assert (world.heard[0].how, world.heard[0].spent_us) == ("cached", 4)


@pytest.mark.parametrize("verdict", ["unknown_destination", "slow_path_busy", "hop_limit"])
def test_who_dropped_it_says_why(verdict: str) -> None:
    world = World()
    world.packet("alice.isp-a", "a1.isp-a", "b1.isp-b", verdict)

    assert world.ask()[-1] == ("b1.isp-b", "dropped", verdict)


def test_a_packet_that_waits_is_not_said_to_be_lost() -> None:
    world = World()
    world.packet("alice.isp-a", "a1.isp-a", "held")

    assert world.ask() == [("a1.isp-a", "waiting", "held")]


def test_a_packet_that_was_lost_on_a_link_was_not_seen_after_it() -> None:
    world = World()
    world.packet("alice.isp-a", "a1.isp-a", "b1.isp-b")

    assert world.ask() == [("a1.isp-a", "forwarded", "b1.isp-b"), ("b1.isp-b", "unseen", "")]


@pytest.mark.parametrize("by", ["bob.isp-c", "b1.isp-b"])
def test_who_did_not_hand_the_packet_over_learns_nothing(by: str) -> None:
    world = World()
    world.packet("alice.isp-a", "a1.isp-a", "unknown_destination")
    question = Explain(7, AT["alice.isp-a"], 16, 9)

    for peer, message in world.nodes[AT["a1.isp-a"]].take(0.0, AT[by], question, records=RECORDS):
        assert peer == AT[by]
        answer = decode(message)
        assert isinstance(answer, Explained)
        said, _ = STATEMENTS.open(answer.statement)
        assert (said.fate, said.reason, said.to, said.parts) == ("unseen", "", b"", ())


def test_a_domain_that_reveals_no_nodes_speaks_with_one_voice() -> None:
    world = World(isp_b="domain")
    world.packet("alice.isp-a", "a1.isp-a", "b1.isp-b", "b2.isp-b", "c1.isp-c", "bob.isp-c")

    assert world.ask() == [
        ("a1.isp-a", "forwarded", "b1.isp-b"),
        ("b1.isp-b", "forwarded", "domain 2"),
        ("b1.isp-b", "forwarded", "domain 3"),
        ("c1.isp-c", "forwarded", "bob.isp-c"),
    ]
    assert all(said.parts == () and said.how == "" for said in world.heard[1:3])


def test_such_a_domain_says_when_it_has_handed_the_packet_to_its_destination() -> None:
    world = World(isp_b="domain")
    world.packet("alice.isp-a", "a1.isp-a", "b1.isp-b", "b2.isp-b", "bob.isp-c")

    assert world.ask()[-1] == ("b1.isp-b", "forwarded", "bob.isp-c")


def test_a_drop_inside_such_a_domain_is_told_by_its_first_node() -> None:
    world = World(isp_b="domain")
    world.packet("alice.isp-a", "a1.isp-a", "b1.isp-b", "b2.isp-b", "host_unreachable")

    assert world.ask()[-1] == ("b1.isp-b", "dropped", "host_unreachable")


def test_a_domain_that_reveals_nothing_says_so_and_others_speak_for_themselves() -> None:
    world = World(isp_b="nothing")
    world.packet("alice.isp-a", "a1.isp-a", "b1.isp-b", "b2.isp-b", "c1.isp-c", "bob.isp-c")

    assert world.ask() == [
        ("a1.isp-a", "forwarded", "b1.isp-b"),
        ("b1.isp-b", "withheld", ""),
        ("c1.isp-c", "forwarded", "bob.isp-c"),
    ]


def test_a_service_that_gives_no_receipts_is_asked_in_vain() -> None:
    world = World()
    trace = step("alice.isp-a", "no_route")
    world.remembered["a1.isp-a"].append((*trace[:2], 67, *trace[3:]))

    assert world.ask(Explain(7, AT["alice.isp-a"], 67, 9)) == [("a1.isp-a", "refused", "")]


def test_a_loop_of_packets_is_explained_once_around() -> None:
    world = World()
    world.packet("alice.isp-a", "a1.isp-a", "b1.isp-b", "a1.isp-a")
    world.packet("b1.isp-b", "a1.isp-a", "b1.isp-b")

    said = world.ask()

    assert [node for node, _, _ in said] == ["a1.isp-a", "b1.isp-b", "a1.isp-a"]
    assert world.refused("a1.isp-a") == {"asked_twice": 1}


def test_an_answer_that_nobody_asked_for_goes_nowhere() -> None:
    world = World()
    forged = Explained(7, b"no statement")

    world.carry(AT["b1.isp-b"], AT["a1.isp-a"], forged)

    assert world.heard == []
    assert world.refused("a1.isp-a") == {"not_asked": 1}


def question_under_way(world: World) -> Statement:
    """Ask a1, which asks b1, which stays silent; return what b1 could have said."""
    world.packet("alice.isp-a", "a1.isp-a", "b1.isp-b")
    silent = world.nodes.pop(AT["b1.isp-b"])
    messages = world.nodes[AT["a1.isp-a"]].take(0.0, AT["alice.isp-a"], ASKED, records=RECORDS)
    world.nodes[AT["b1.isp-b"]] = silent
    assert messages[-1] == (AT["b1.isp-b"], encode(ASKED))
    return Statement(AT["b1.isp-b"], 7, AT["alice.isp-a"], 16, 9, "dropped", "no_route")


def test_only_the_node_that_was_asked_may_answer() -> None:
    world = World()
    said = question_under_way(world)

    answer = Explained(7, STATEMENTS.seal(said, B1))
    world.carry(AT["c1.isp-c"], AT["a1.isp-a"], answer)
    assert world.heard == []
    world.carry(AT["b1.isp-b"], AT["a1.isp-a"], answer)

    assert world.heard == [said]


def test_an_answer_that_comes_too_late_goes_nowhere() -> None:
    world = World()
    said = question_under_way(world)
    world.now_s = WAIT_S

    world.carry(AT["b1.isp-b"], AT["a1.isp-a"], Explained(7, STATEMENTS.seal(said, B1)))

    assert world.heard == []
    assert world.refused("a1.isp-a") == {"not_asked": 1}


def test_a_node_that_answers_without_end_is_not_listened_to() -> None:
    world = World()
    answer = Explained(7, STATEMENTS.seal(question_under_way(world), B1))

    for _ in range(MAX_ANSWERS + 3):
        world.carry(AT["b1.isp-b"], AT["a1.isp-a"], answer)

    assert len(world.heard) == MAX_ANSWERS
    assert world.refused("a1.isp-a") == {"answered_too_often": 3}


@pytest.mark.parametrize(
    ("keys", "changed"),
    [(MALLORY, {}), (B1, {"connection": 8}), (B1, {"number": 6})],
    ids=["another key", "another packet", "another question"],
)
def test_a_node_speaks_for_no_other_that_it_cannot_believe(
    keys: Keys, changed: dict[str, int]
) -> None:
    world = World(isp_b="domain")
    world.packet("alice.isp-a", "b2.isp-b", "b1.isp-b")
    node = world.nodes[AT["b2.isp-b"]]
    _ = node.take(0.0, AT["alice.isp-a"], ASKED, records=RECORDS)
    fields = {"number": 7, "connection": 9} | changed
    said = Statement(
        AT["b1.isp-b"], fields["number"], AT["alice.isp-a"], 16, fields["connection"], "dropped"
    )

    sent = node.take(
        0.0, AT["b1.isp-b"], Explained(7, STATEMENTS.seal(said, keys)), records=RECORDS
    )

    assert sent == []
    assert world.refused("b2.isp-b") == {"bad_statement": 1}


def test_who_asks_too_often_waits_while_others_are_answered() -> None:
    world = World()

    for _ in range(int(HOST_RATE) + 20):
        _ = world.ask()
    refused = world.refused("a1.isp-a")
    world.heard.clear()
    others = world.ask(by="bob.isp-c")
    world.now_s = 0.1
    later = world.ask()

    assert refused == {"asked_too_often": 20}
    assert (len(others), len(later)) == (1, 2)


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    world = World()
    world.now_s = 10_000.0
    for _ in range(int(HOST_RATE)):
        _ = world.ask()
    world.now_s = 0.0
    _ = world.ask()
    world.heard.clear()
    world.now_s = 1.0

    assert len(world.ask()) == 1


def counted(world: World, names: Sequence[str]) -> list[int]:
    return [world.nodes[AT[name]].statistics().answered for name in names]


def test_what_was_asked_and_answered_is_counted() -> None:
    world = World()
    world.packet("alice.isp-a", "a1.isp-a", "b1.isp-b", "unknown_destination")

    _ = world.ask()

    assert counted(world, ["a1.isp-a", "b1.isp-b"]) == [1, 1]
    assert world.nodes[AT["a1.isp-a"]].statistics().handed_on == 1
