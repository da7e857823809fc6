"""Whom a host knows beyond its records: asked for, and believed only when it is signed."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.directory.messages import (
    Addressed,
    Find,
    Found,
    Message,
    Named,
    Query,
    Unfound,
    decode,
    encode,
)
from ei.host.contacts import MAX_HELD_EACH, MAX_HELD_SOURCES, Contacts
from ei.host.events import ContactLearned
from ei.records.envelope import seal_record
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.kinds import Absence
from ei.records.record_set import RecordSet, verify_records
from ei.sdk.packets import Address

S = 1_000_000_000
UNIX_S = 1_000
A, B, ALICE, BOB, EVE, NODE, FAR = (make_keys(letter * 32) for letter in (
    b"A", b"B", b"a", b"b", b"e", b"n", b"f"
))  # fmt: skip
ISP_A, ISP_B = (
    Issuer(name, number, keys, expires_unix_s=4_000)
    for name, number, keys in (("isp-a", 1, A), ("isp-b", 2, B))
)
BOB_AT = BOB.address(2)
WHO_IS_BOB = Named("bob.isp-b")
BOBS = ISP_B.enrol(BOB, "bob.isp-b")


def records(*, revoked: frozenset[bytes] = frozenset()) -> RecordSet:
    found = verify_records(
        [
            ISP_A.domain(),
            ISP_A.node(NODE, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=()),
            ISP_A.enrol(ALICE, "alice.isp-a"),
            ISP_B.domain(),
            ISP_B.node(FAR, "sn1.isp-b", endpoints=("127.0.0.2:1",), services=()),
        ],
        trust={"isp-a": A.identity_key, "isp-b": B.identity_key},
        unix_s=UNIX_S,
    )
    assert found.refused == ()
    return RecordSet(**{
        field: getattr(found, field) for field in found.__dataclass_fields__ if field != "revoked"
    }, revoked={"isp-b": revoked})  # fmt: skip


class Rig:
    """The contacts of alice, on a clock that the test moves."""

    def __init__(self) -> None:
        self.now_ns = 10 * S
        self.sent: list[Message] = []
        self.learned: list[ContactLearned] = []
        self.contacts: Contacts[str] = Contacts(
            records(),
            send=lambda _, message: self.sent.append(decode(message)),
            emit=self.learned.append,
            registered=lambda *_: None,
            unix_offset_ns=UNIX_S * S - self.now_ns,
        )

    def ask(self, query: Query = WHO_IS_BOB) -> int:
        """Ask, and return the number of the question."""
        self.contacts.ask(self.now_ns, query)
        found = self.sent[-1]
        assert isinstance(found, Find)
        return found.number

    def hear(self, message: Message | bytes) -> None:
        encoded = message if isinstance(message, bytes) else encode(message)
        self.contacts.hear(self.now_ns, encoded)

    def wait(self, seconds: float) -> None:
        """Let time pass, and everything be done that is due."""
        until_ns = self.now_ns + int(seconds * S)
        while (due_ns := self.contacts.next_deadline_ns()) is not None and due_ns <= until_ns:
            self.now_ns = due_ns
            self.contacts.poll(self.now_ns)
        self.now_ns = until_ns


def test_what_the_directory_says_is_known_from_then_on() -> None:
    rig = Rig()
    number = rig.ask()
    assert rig.sent == [Find(number, WHO_IS_BOB)]

    rig.hear(Found(number, (BOBS,)))

    assert rig.learned == [ContactLearned(WHO_IS_BOB)]
    assert rig.contacts.records.find("bob.isp-b") == BOB_AT
    assert rig.contacts.knows(BOB_AT)


def test_a_question_that_is_under_way_is_not_asked_twice() -> None:
    rig = Rig()

    _ = rig.ask()
    _ = rig.ask()

    assert len(rig.sent) == 1


def test_what_is_not_answered_is_asked_again_and_given_up() -> None:
    rig = Rig()
    _ = rig.ask()

    rig.wait(10)

    assert len(rig.sent) == 4
    assert rig.learned == [ContactLearned(WHO_IS_BOB, "no_answer")]


def test_what_had_no_answer_has_none_for_a_second_and_for_the_same_reason() -> None:
    rig = Rig()
    rig.hear(Unfound(rig.ask(), "unknown_domain"))
    assert rig.learned == [ContactLearned(WHO_IS_BOB, "unknown_domain")]

    rig.contacts.ask(rig.now_ns, WHO_IS_BOB)
    assert len(rig.sent) == 1
    rig.wait(1.1)
    _ = rig.ask()

    assert len(rig.sent) == 2
    assert rig.learned[1:] == [ContactLearned(WHO_IS_BOB, "unknown_domain")]


def test_a_signed_absence_ends_the_question() -> None:
    rig = Rig()
    number = rig.ask(Named("nobody.isp-b"))
    absence = Absence("nobody.isp-b", b"", is_attachment=False, expires_unix_s=UNIX_S + 30)

    rig.hear(Found(number, (seal_record(absence, FAR),)))

    assert rig.learned == [ContactLearned(Named("nobody.isp-b"), "not_found")]


@pytest.mark.parametrize(
    ("envelope", "word"),
    [
        (Issuer("isp-b", 2, EVE, expires_unix_s=4_000).enrol(EVE, "bob.isp-b"), "wrong_signer"),
        (ISP_B.enrol(EVE, "eve.isp-b"), "other_answer"),
        (Issuer("isp-b", 2, B, expires_unix_s=900).enrol(BOB, "bob.isp-b"), "expired"),
    ],
)
def test_an_answer_that_does_not_hold_is_counted_and_the_question_goes_on(
    envelope: bytes, word: str
) -> None:
    rig = Rig()
    number = rig.ask()

    rig.hear(Found(number, (envelope,)))
    assert rig.learned == []
    assert rig.contacts.dropped[word] == 1
    rig.hear(Found(number, (BOBS,)))

    assert rig.learned == [ContactLearned(WHO_IS_BOB)]


def test_an_answer_that_nobody_asked_for_teaches_nothing() -> None:
    rig = Rig()

    rig.hear(Found(7, (BOBS,)))

    assert not rig.contacts.knows(BOB_AT)
    assert rig.contacts.dropped["unexpected_message"] == 1


@given(st.binary(max_size=200))
def test_no_bytes_break_it(message: bytes) -> None:
    rig = Rig()

    rig.hear(message)

    assert sum(rig.contacts.dropped.values()) <= 1


def test_what_came_from_a_stranger_waits_until_it_is_known_who_that_is() -> None:
    rig = Rig()
    for item in ("first", "second"):
        rig.contacts.hold(rig.now_ns, BOB_AT, item)
    found = rig.sent[-1]
    assert found == Find(1, Addressed(BOB_AT))

    rig.hear(Found(1, (BOBS,)))

    assert rig.contacts.take_held(BOB_AT) == ["first", "second"]
    assert rig.contacts.take_held(BOB_AT) == []


def test_what_came_from_whom_nobody_knows_is_counted() -> None:
    rig = Rig()
    rig.contacts.hold(rig.now_ns, BOB_AT, "first")

    rig.wait(10)

    assert rig.contacts.take_held(BOB_AT) == []
    assert rig.contacts.dropped["unknown_source"] == 1


def test_strangers_take_no_more_than_their_room() -> None:
    rig = Rig()
    random = Random(1)
    strangers = [Address(BOB_AT[:6] + random.randbytes(10)) for _ in range(MAX_HELD_SOURCES + 1)]

    for _ in range(MAX_HELD_EACH + 1):
        rig.contacts.hold(rig.now_ns, strangers[0], "x")
    for stranger in strangers[1:]:
        rig.contacts.hold(rig.now_ns, stranger, "x")

    assert rig.contacts.dropped["contacts_full"] == 2


def test_whose_key_is_revoked_is_known_no_more() -> None:
    rig = Rig()
    rig.hear(Found(rig.ask(), (BOBS,)))

    rig.contacts.update(records())
    assert rig.contacts.knows(BOB_AT)
    rig.contacts.update(records(revoked=frozenset({BOB.identity_key})))

    assert not rig.contacts.knows(BOB_AT)
    assert "bob.isp-b" not in rig.contacts.records.names


def test_a_group_of_another_domain_is_learned_too() -> None:
    rig = Rig()
    group = ISP_B.group("news.isp-b", nodes=(FAR.address(2),), sequence=1)

    rig.hear(Found(rig.ask(Named("news.isp-b")), (group,)))

    assert rig.contacts.records.find("news.isp-b") in rig.contacts.records.groups
