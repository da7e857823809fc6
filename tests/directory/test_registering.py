"""An attachment is believed from its host, and kept by the directories of its home."""

from collections import Counter

from tests.directory.net import UNIX_S, World

from ei.directory.authority import Authority
from ei.directory.handing import Handing
from ei.directory.messages import Message, Register, Registered
from ei.directory.places import Places
from ei.directory.registering import Registering
from ei.directory.statements import Reader
from ei.directory.stores import MemoryStore
from ei.records.envelope import open_record
from ei.sdk.packets import Address

TIMES = {"now_s": 100.0, "unix_s": UNIX_S}


class Rig:
    """The registering of one node."""

    def __init__(self, node: str) -> None:
        self.world = World(nodes=3, directories=2)
        self.bob = self.world.add_host("bob.isp-b")
        records = self.world.records(node.partition(".")[2])
        self.places = Places(self.world.names[node], records)
        self.sent: list[tuple[Address, Message]] = []
        self.refused: Counter[str] = Counter()
        self.registering = Registering(
            authority=Authority(
                keys=self.world.keys[self.world.names[node]],
                reader=Reader(records, 3_600, open_record),
                store=MemoryStore(),
            ),
            handing=Handing(send=self.send),
            send=self.send,
            count=lambda word: self.refused.update([word]),
            open_envelope=open_record,
        )
        self.envelope = self.world.attach("bob.isp-b", node, sequence=5)

    def send(self, peer: Address, message: Message) -> None:
        self.sent.append((peer, message))

    def take_of_host(self) -> None:
        self.registering.take_of_host(self.bob, self.envelope, self.places, **TIMES)

    def commit(self) -> list[Address]:
        return self.registering.commit(self.places, **TIMES)


def test_a_node_hands_it_to_every_directory_and_tells_the_host_of_the_first_answer() -> None:
    rig = Rig("sn3.isp-a")
    homes = [rig.world.names[f"sn{number}.isp-b"] for number in (1, 2)]

    rig.take_of_host()
    for home in homes:
        rig.registering.take_registered(home, Registered(rig.bob, 5), now_s=100.0)
    rig.registering.take_registered(homes[0], Registered(rig.bob, 5), now_s=100.0)

    assert rig.sent == [
        *((home, Register(rig.envelope)) for home in homes),
        (rig.bob, Registered(rig.bob, 5)),
    ]
    assert rig.refused == {"unasked": 1}


def test_a_directory_keeps_it_and_hands_it_to_its_sibling() -> None:
    rig = Rig("sn1.isp-b")

    rig.take_of_host()
    rig.take_of_host()
    before = list(rig.sent)

    assert rig.commit() == [rig.bob]
    assert before == []
    sibling = rig.world.names["sn2.isp-b"]
    assert rig.sent[:2] == [(rig.bob, Registered(rig.bob, 5)), (sibling, Register(rig.envelope))]
    assert rig.registering.staged == []


def test_a_sibling_that_comes_up_gets_what_it_missed_and_nobody_else_does() -> None:
    rig = Rig("sn1.isp-b")
    node = rig.world.names["sn3.isp-a"]
    rig.registering.take_of_node(node, rig.envelope, rig.places, **TIMES)
    rig.commit()
    sibling = rig.world.names["sn2.isp-b"]
    rig.sent.clear()

    rig.registering.peer_down(node, now_s=99.0)
    rig.registering.peer_up(node, is_sibling=False, now_s=101.0)
    rig.registering.peer_down(sibling, now_s=99.0)
    rig.registering.peer_up(sibling, is_sibling=True, now_s=101.0)
    rig.registering.take_registered(sibling, Registered(rig.bob, 5), now_s=101.0)
    rig.registering.peer_down(sibling, now_s=200.0)
    rig.registering.peer_up(sibling, is_sibling=True, now_s=201.0)

    assert rig.sent == [(sibling, Register(rig.envelope))]


def test_a_node_that_answers_for_no_domain_takes_none_from_others() -> None:
    rig = Rig("sn3.isp-b")
    node = rig.world.names["sn1.isp-a"]

    rig.registering.take_of_node(node, rig.envelope, rig.places, **TIMES)
    rig.registering.take_of_node(node, b"x", rig.places, **TIMES)

    assert rig.sent == [(node, Registered(rig.bob, 5, "not_a_directory"))]
    assert rig.refused == {"not_a_directory": 1, "malformed": 1}
