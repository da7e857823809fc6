"""What is learned from others is kept true while it is used."""

from tests.directory.net import UNIX_S, World

from ei.directory import Named
from ei.directory.messages import Answer, Ask, Message, Refused, Release
from ei.directory.places import Places
from ei.directory.resolver import LEASE_S, PACE_S, RETRY_S, Resolver
from ei.directory.statements import Reader
from ei.records.envelope import open_record
from ei.sdk.packets import Address

BOB = Named("bob.isp-b")
TIMES = {"now_s": 100.0, "unix_s": UNIX_S}


class Rig:
    """The resolver of a directory of isp-a, which asks those of isp-b."""

    def __init__(self, *, directories: int = 2) -> None:
        self.world = World(directories=directories)
        self.world.add_host("bob.isp-b")
        self.first, self.second = (self.world.names[f"sn{n}.isp-b"] for n in (1, 2))
        self.sent: list[tuple[Address, Message]] = []
        self.refused: list[str] = []
        records = self.world.records("isp-a")
        self.resolver = Resolver(
            places=Places(self.world.names["sn1.isp-a"], records),
            reader=Reader(records, 3_600, open_record),
            send=lambda peer, message: self.sent.append((peer, message)),
            count=self.refused.append,
            is_followed=lambda _: False,
        )

    def answer(self, sender: Address, *, is_leased: bool = True, now_s: float = 100.0) -> None:
        message = Answer(BOB, (self.world.private["isp-b"][0],), LEASE_S, is_leased)
        self.resolver.take_answer(sender, message, now_s=now_s, unix_s=UNIX_S)


def test_a_question_is_asked_once_and_settled_once() -> None:
    rig = Rig()
    rig.resolver.want(BOB, now_s=100.0)
    rig.resolver.want(BOB, now_s=100.1)

    rig.answer(rig.first)

    assert rig.sent == [(rig.first, Ask(BOB, LEASE_S))]
    (settled,) = rig.resolver.take_settled()
    assert settled.statement is not None
    assert settled.is_changed
    assert rig.resolver.take_settled() == []


def test_a_renewal_goes_to_who_gave_the_lease_and_changes_nothing() -> None:
    rig = Rig()
    rig.resolver.want(BOB, now_s=100.0)
    rig.answer(rig.second)  # was not asked, and is not believed
    rig.resolver.poll(100.3)
    rig.answer(rig.second, now_s=100.4)
    rig.resolver.take_settled()
    rig.sent.clear()
    rig.resolver.use(BOB, now_s=130.0)

    rig.resolver.poll(100.4 + LEASE_S / 2)
    rig.answer(rig.second, now_s=161.0)

    assert rig.refused == ["unasked"]
    assert rig.sent == [(rig.second, Ask(BOB, LEASE_S))]
    assert [settled.is_changed for settled in rig.resolver.take_settled()] == [False]


def test_who_refuses_is_followed_by_the_next_and_then_by_nobody() -> None:
    rig = Rig()
    rig.resolver.want(BOB, now_s=100.0)

    rig.resolver.take_refused(rig.first, Refused(BOB, "busy"), now_s=100.1)
    rig.resolver.take_refused(rig.second, Refused(BOB, "busy"), now_s=100.2)
    rig.resolver.take_refused(rig.second, Refused(BOB, "busy"), now_s=100.2)

    assert [peer for peer, _ in rig.sent] == [rig.first, rig.second]
    assert [settled.reason for settled in rig.resolver.take_settled()] == ["no_answer"]
    assert rig.refused == ["unasked"]


def test_a_lease_whose_directory_is_gone_is_asked_for_elsewhere_at_once() -> None:
    rig = Rig()
    rig.resolver.want(BOB, now_s=100.0)
    rig.answer(rig.first)
    rig.sent.clear()

    rig.resolver.peer_down(rig.first, now_s=101.0)
    rig.resolver.poll(101.0 + PACE_S)

    assert rig.sent == [(rig.second, Ask(BOB, LEASE_S))]
    assert rig.resolver.use(BOB, now_s=101.0) is not None


def test_who_cannot_be_asked_again_is_tried_less_and_less_often() -> None:
    rig = Rig(directories=1)
    rig.resolver.want(BOB, now_s=100.0)
    rig.answer(rig.first, is_leased=False)
    begun = rig.resolver.statistics().asks.begun
    now_s = 100.0
    while now_s < 160.0:
        now_s = min(rig.resolver.deadlines.next_s, rig.resolver.checks.next_s)
        rig.resolver.use(BOB, now_s=min(now_s, 130.0))
        rig.resolver.poll(now_s)

    assert rig.resolver.statistics().asks.begun - begun < 12
    assert RETRY_S < 2


def test_of_a_domain_without_directories_there_is_no_answer() -> None:
    rig = Rig()

    rig.resolver.want(Named("bob.isp-z"), now_s=100.0)

    assert [settled.reason for settled in rig.resolver.take_settled()] == ["no_directory"]


def test_what_is_told_and_not_used_is_released() -> None:
    rig = Rig()

    rig.answer(rig.first)

    assert rig.sent == [(rig.first, Release(BOB))]


def test_what_does_not_count_by_new_records_is_forgotten() -> None:
    rig = Rig()
    rig.resolver.want(BOB, now_s=100.0)
    rig.answer(rig.first)
    rig.resolver.take_settled()
    records = World(domains=1).records("isp-a")

    places = Places(rig.world.names["sn1.isp-a"], records)
    rig.resolver.change(places, Reader(records, 3_600, open_record), **TIMES)

    (settled,) = rig.resolver.take_settled()
    assert (settled.statement, settled.reason) == (None, "unknown_domain")
    assert rig.resolver.use(BOB, now_s=100.0) is None
