"""Directory and routing of a node: what its services ask is answered, and again when it changes."""

import msgspec

from ei.directory import DIRECTORY, Attached
from ei.directory.messages import Answer, Ask, decode, encode
from ei.node.control import ControlPlane
from ei.node.remembering import RememberingControl
from ei.records.addresses import make_group_address
from ei.records.envelope import seal_record
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.kinds import MAX_ATTACHMENT_S, GroupRecord
from ei.records.record_set import RecordSet, verify_records
from ei.routing import Offer
from ei.routing.policy import Word
from ei.sdk.packets import Address
from ei.sdk.records import (
    Attachment,
    AttachmentOf,
    GroupOf,
    Node,
    NodeAt,
    NodeStatement,
    Operator,
    OperatorOf,
    OwnStatement,
    Query,
    Record,
    Route,
    RouteTo,
    ServiceAt,
)

UNIX_S = 1_000
DELIVERY = 16
A, B, SN1, SN2, BORDER, FAR, ALICE, BOB = (make_keys(letter * 32) for letter in (
    b"A", b"B", b"1", b"2", b"3", b"4", b"a", b"b"
))  # fmt: skip
ISP_A = Issuer("isp-a", 1, A, expires_unix_s=4_000)
ISP_B = Issuer("isp-b", 2, B, expires_unix_s=4_000)
SELF, MATE = SN1.address(1), SN2.address(1)
AT_BORDER, AT_FAR = BORDER.address(2), FAR.address(2)
PUBLIC = [
    ISP_A.domain(),
    ISP_A.node(SN1, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=(DELIVERY,)),
    ISP_A.node(SN2, "sn2.isp-a", endpoints=("127.0.0.2:1",), services=(DELIVERY, 50)),
    ISP_B.domain(),
    ISP_B.node(BORDER, "border.isp-b", endpoints=("127.0.0.3:1",), services=(DELIVERY,)),
    ISP_B.node(FAR, "far.isp-b", endpoints=("127.0.0.4:1",), services=(DELIVERY,)),
]
TRUST = {"isp-a": A.identity_key, "isp-b": B.identity_key}


def records(*more: bytes) -> RecordSet:
    found = verify_records(
        [*PUBLIC, ISP_A.enrol(ALICE, "alice.isp-a"), *more], trust=TRUST, unix_s=UNIX_S
    )
    assert found.refused == ()
    return found


class Rig:
    """The control plane of sn1.isp-a, on a clock that the test moves."""

    def __init__(self, **neighbours: Word) -> None:
        self.now_s = 1.0
        self.datapath = RememberingControl()
        self.plane = ControlPlane(
            keys=SN1,
            address=SELF,
            records=records(),
            neighbours={name.replace("_", "-"): word for name, word in neighbours.items()} or None,
            offers=(Offer(DELIVERY),),
            datapath=self.datapath,
            attachment_limit_s=MAX_ATTACHMENT_S,
        )
        self.up(MATE, AT_BORDER, AT_FAR)
        self.datapath.commands.clear()

    def up(self, *peers: Address, is_up: bool = True) -> None:
        for peer in peers:
            self.plane.peer_changed(peer, is_up=is_up, now_s=self.now_s, unix_s=UNIX_S)

    def ask(self, query: Query) -> None:
        encoded = msgspec.msgpack.encode(query)
        self.plane.resolve(DELIVERY, encoded, now_s=self.now_s, unix_s=UNIX_S)

    def told(self) -> list[tuple[Query, Record | None]]:
        """Take what the service was told since the last call."""
        told = [command[2:] for command in self.datapath.commands if command[0] == "resolved"]
        self.datapath.commands = [
            command for command in self.datapath.commands if command[0] != "resolved"
        ]
        return [
            (
                msgspec.msgpack.decode(query, type=Query),
                None if record is None else msgspec.msgpack.decode(record, type=Record),
            )
            for query, record in told
        ]

    def said(self) -> list[tuple[object, object]]:
        """Take what went out: to whom, what."""
        said = [command for command in self.datapath.commands if command[0] == "send_control"]
        self.datapath.commands = [
            command for command in self.datapath.commands if command[0] != "send_control"
        ]
        return [
            (peer, decode(message))  # type: ignore[arg-type]
            for _, peer, service, message in said
            if service == DIRECTORY
        ]

    def hear(self, sender: Address, message: bytes, service: int = DIRECTORY) -> None:
        self.plane.take(sender, service, message, now_s=self.now_s, unix_s=UNIX_S)


def attachment_of(host: Keys, *nodes: Address, sequence: int = 1) -> bytes:
    return ISP_B.attach(host, nodes=nodes, sequence=sequence)


def answer(*nodes: Address, sequence: int = 1) -> bytes:
    envelopes = (
        ISP_B.enrol(BOB, "bob.isp-b"),
        attachment_of(BOB, *nodes, sequence=sequence),
    )
    return encode(Answer(Attached(BOB.address(2)), envelopes, 60, is_leased=True))


WHERE_IS_BOB = AttachmentOf(BOB.address(2))
TO_B = RouteTo(2)


def test_what_another_domain_answers_for_is_asked_there_and_told() -> None:
    rig = Rig()
    rig.ask(WHERE_IS_BOB)
    [(asked, message)] = rig.said()
    assert isinstance(message, Ask)
    assert message.query == Attached(BOB.address(2))
    assert rig.told() == []

    rig.hear(Address(asked), answer(AT_FAR))  # type: ignore[arg-type]

    # The way comes first, so that the packet that waits need not wait twice.
    told = rig.told()
    assert [query for query, _ in told] == [TO_B, WHERE_IS_BOB]
    assert told[1][1] == Attachment(BOB.address(2), (AT_FAR,))


def test_where_a_groups_senders_are_is_said_before_its_record() -> None:
    rig = Rig()
    news = make_group_address(1, A.identity_key, "news.isp-a")
    sender = BOB.address(2)
    record = GroupRecord(news, "news.isp-a", A.identity_key, (SELF,), 1, 4_000, senders=(0, sender))
    rig.plane.use(records(seal_record(record, A)), None)
    rig.plane.poll(now_s=rig.now_s, unix_s=UNIX_S)
    rig.ask(GroupOf(news))
    [(asked, _)] = rig.said()
    assert [query for query, _ in rig.told()] == [GroupOf(news)]

    rig.hear(Address(asked), answer(AT_FAR))  # type: ignore[arg-type]
    assert [query for query, _ in rig.told()] == [TO_B, WHERE_IS_BOB]
    rig.ask(GroupOf(news))

    assert [query for query, _ in rig.told()] == [TO_B, WHERE_IS_BOB, GroupOf(news)]


def test_who_asked_is_told_when_the_answer_changes() -> None:
    rig = Rig()
    rig.ask(WHERE_IS_BOB)
    [(asked, _)] = rig.said()
    rig.hear(Address(asked), answer(AT_FAR))  # type: ignore[arg-type]
    _ = rig.told()

    rig.now_s += 30.0
    rig.hear(Address(asked), answer(AT_BORDER, sequence=2))  # type: ignore[arg-type]

    assert rig.told()[-1] == (WHERE_IS_BOB, Attachment(BOB.address(2), (AT_BORDER,)))


def test_who_has_not_asked_for_a_minute_is_not_told() -> None:
    rig = Rig()
    rig.ask(WHERE_IS_BOB)
    [(asked, _)] = rig.said()
    rig.hear(Address(asked), answer(AT_FAR))  # type: ignore[arg-type]
    _ = rig.told()

    rig.now_s += 61.0
    rig.hear(Address(asked), answer(AT_BORDER, sequence=2))  # type: ignore[arg-type]

    assert rig.told() == []


def test_without_neighbours_the_nodes_of_a_domain_lead_there() -> None:
    rig = Rig()

    rig.ask(TO_B)

    [(query, route)] = rig.told()
    assert query == TO_B
    assert isinstance(route, Route)
    assert set(route.hops) == {AT_BORDER, AT_FAR}


def test_a_service_of_another_node_of_the_domain_is_found() -> None:
    rig = Rig()

    rig.ask(ServiceAt(50))
    rig.ask(ServiceAt(99))

    assert rig.told() == [(ServiceAt(50), Route((MATE,))), (ServiceAt(99), None)]


def test_the_owner_in_a_cluster_is_where_the_service_is_and_a_change_is_told() -> None:
    rig = Rig()
    rig.plane.set_owners({50: MATE})
    rig.ask(ServiceAt(50))
    assert rig.told() == [(ServiceAt(50), Route((MATE,)))]

    rig.plane.set_owners({50: AT_FAR})

    assert rig.told() == [(ServiceAt(50), Route((AT_FAR,)))]
    assert ("revoke_peer", MATE) in rig.datapath.commands


def test_a_service_has_the_node_sign_in_its_own_name() -> None:
    rig = Rig()

    rig.ask(OwnStatement(b"keys"))

    [(query, statement)] = rig.told()
    assert isinstance(statement, NodeStatement)
    assert (query, statement.node, statement.service) == (OwnStatement(b"keys"), SELF, DELIVERY)
    assert statement.is_true()


def test_bytes_that_are_no_query_have_no_answer() -> None:
    rig = Rig()

    rig.plane.resolve(DELIVERY, b"\xc1", now_s=1.0, unix_s=UNIX_S)

    assert rig.datapath.commands == [("resolved", DELIVERY, b"\xc1", None)]


def test_messages_of_no_service_and_of_no_sense_are_counted() -> None:
    rig = Rig()

    rig.hear(MATE, b"x", service=7)
    rig.hear(MATE, b"\xc1")

    assert rig.plane.dropped["unknown_service"] == 1
    assert rig.plane.directory.statistics().refused == {"bad_message": 1}


def test_new_records_count_with_the_next_poll() -> None:
    rig = Rig()
    rig.ask(ServiceAt(48))
    _ = rig.told()
    more = ISP_A.node(make_keys(b"9" * 32), "sn9.isp-a", endpoints=("127.0.0.9:1",), services=(48,))

    rig.plane.use(records(more), {})
    assert rig.plane.next_deadline_s() <= rig.now_s
    rig.plane.poll(now_s=rig.now_s, unix_s=UNIX_S)
    rig.up(make_keys(b"9" * 32).address(1))

    rig.ask(ServiceAt(48))
    assert rig.told()[-1] == (ServiceAt(48), Route((make_keys(b"9" * 32).address(1),)))


def test_what_is_offered_anew_is_announced_at_once() -> None:
    rig = Rig(isp_b="peer")
    rig.plane.poll(now_s=rig.now_s, unix_s=UNIX_S)
    before_s = rig.plane.next_deadline_s()

    rig.plane.set_offers((Offer(DELIVERY), Offer(48)), now_s=rig.now_s)

    assert rig.plane.next_deadline_s() <= rig.now_s < before_s


def test_where_routing_has_a_choice_the_nearer_peer_leads_on() -> None:
    rig = Rig(isp_b="peer")
    rig.datapath.counted = {
        "peers": {
            AT_BORDER.hex(): {"is_up": True, "rtt_s": 0.02},
            AT_FAR.hex(): {"is_up": True, "rtt_s": 0.01},
            MATE.hex(): {"is_up": True, "rtt_s": None},
        }
    }

    rig.plane.poll(now_s=20.0, unix_s=UNIX_S)

    route = rig.plane.router.route_to(2)
    assert route is not None
    assert route.hops == (AT_FAR, AT_BORDER)


def test_a_pipe_with_somebody_new_counts_before_the_records_are_gone_over_to() -> None:
    rig = Rig()
    third = make_keys(b"5" * 32)
    newer = records(ISP_B.node(third, "third.isp-b", endpoints=("127.0.0.5:1",), services=()))
    rig.plane.use(newer, None)

    rig.plane.peer_changed(third.address(2), is_up=True, now_s=2.0, unix_s=UNIX_S)
    rig.plane.poll(now_s=2.0, unix_s=UNIX_S)

    route = rig.plane.router.route_to(2)
    assert route is not None
    assert third.address(2) in route.hops
    assert set(route.hops) == {AT_BORDER, AT_FAR, third.address(2)}


def test_who_runs_a_domain_is_said_and_whether_that_is_who_runs_this_one() -> None:
    rig = Rig()

    for domain in (1, 2, 9):
        rig.ask(OperatorOf(domain))

    assert rig.told() == [
        (OperatorOf(1), Operator(1, "isp-a", is_own=True)),
        (OperatorOf(2), Operator(2, "isp-b", is_own=False)),
        (OperatorOf(9), None),
    ]


def test_what_is_no_node_by_its_record_is_none_whatever_its_address() -> None:
    rig, alice = Rig(), ALICE.address(1)

    for address in (AT_FAR, alice, Address(bytes(16))):
        rig.ask(NodeAt(address))

    assert rig.told() == [
        (NodeAt(AT_FAR), Node(AT_FAR, (DELIVERY,))),
        (NodeAt(alice), None),
        (NodeAt(Address(bytes(16))), None),
    ]
