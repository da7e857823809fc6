"""A host tells its home where it is attached: signed, again until kept, anew when it moves."""

from collections import Counter

from tests.host.conftest import keys_of

from ei.attachment import Guard
from ei.attachment import decode as decode_attachment
from ei.directory.messages import Register, Registered, decode
from ei.host.attachments import Attachments
from ei.host.registering import HOUR_US, LIFE_S, RENEW_NS, RETRY_NS, SETTLE_NS, Registering
from ei.records.envelope import open_record
from ei.records.kinds import AttachmentRecord
from ei.sdk.packets import Address

S = 1_000_000_000
UNIX_S = 1_700_000_000
KEYS = keys_of("alice")
ALICE = KEYS.address(1)
ONE, TWO = (Address(letter * 16) for letter in (b"1", b"2"))


class Rig:
    """Alice at two nodes, both up, and what she sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.dropped: Counter[str] = Counter()
        self.attachments = Attachments([ONE, TWO])
        self.registering = Registering(
            ALICE,
            KEYS,
            send=lambda now_ns, message: self.sent.append((now_ns, message)),
            dropped=self.dropped,
            unix_offset_ns=UNIX_S * S,
        )
        for node in (ONE, TWO):
            self.change(0, node, is_up=True)

    def change(self, now_ns: int, node: Address, *, is_up: bool) -> None:
        """A pipe comes up or goes down."""
        _ = self.attachments.change(now_ns, node, is_up=is_up)
        self.registering.watch(now_ns, self.attachments)

    def run(self, until_ns: int) -> None:
        """Do what is due until then."""
        while (due_ns := self.registering.next_deadline_ns()) is not None and due_ns <= until_ns:
            self.registering.poll(due_ns)

    def record(self) -> AttachmentRecord:
        """Return the newest that was sent."""
        message = decode(self.sent[-1][1])
        assert isinstance(message, Register)
        record, signer = open_record(message.envelope)
        assert signer == KEYS.identity_key
        assert isinstance(record, AttachmentRecord)
        return record

    def answer(self, now_ns: int, reason: str = "") -> None:
        """A directory answers the newest."""
        self.registering.hear(now_ns, Registered(ALICE, self.record().sequence, reason))


def test_pipes_that_come_up_together_make_one_record() -> None:
    rig = Rig()

    rig.run(SETTLE_NS)

    assert [at_ns for at_ns, _ in rig.sent] == [SETTLE_NS]
    record = rig.record()
    assert (record.host, record.nodes) == (ALICE, (ONE, TWO))
    assert record.expires_unix_s == UNIX_S + LIFE_S
    assert record.sequence == UNIX_S * 1_000_000 + SETTLE_NS // 1_000


def test_it_is_sent_again_ever_more_rarely_until_it_is_kept() -> None:
    rig = Rig()
    rig.run(SETTLE_NS + 7 * RETRY_NS)
    assert [(at_ns - SETTLE_NS) // S for at_ns, _ in rig.sent] == [0, 1, 3, 7]
    assert len({message for _, message in rig.sent}) == 1

    rig.answer(8 * S)
    rig.run(20 * S)

    assert rig.registering.is_registered
    assert len(rig.sent) == 4


def test_it_is_signed_anew_before_it_ends_and_when_the_host_moves() -> None:
    rig = Rig()
    rig.run(S)
    first = rig.record()
    rig.answer(S)

    rig.run(RENEW_NS + S)
    assert len(rig.sent) == 2
    renewed = rig.record()
    assert (renewed.nodes, renewed.sequence > first.sequence) == (first.nodes, True)
    assert renewed.expires_unix_s == first.expires_unix_s + RENEW_NS // S
    rig.answer(RENEW_NS + S)

    rig.change(RENEW_NS + 2 * S, ONE, is_up=False)
    rig.run(RENEW_NS + 3 * S)
    assert rig.record().nodes == (TWO, ONE)
    assert not rig.registering.is_registered


def test_a_refusal_is_counted_and_tried_again_with_another_record() -> None:
    rig = Rig()
    rig.run(S)
    first = rig.record()

    rig.answer(S, "lives_too_long")
    rig.run(10 * S)

    assert rig.dropped == {"lives_too_long": 1}
    assert rig.record().sequence > first.sequence


def test_a_clock_that_was_set_back_is_behind_for_an_hour_only() -> None:
    rig = Rig()
    rig.run(S)
    first = rig.record()

    rig.answer(S, "older")
    rig.run(10 * S)

    assert rig.record().sequence > first.sequence + HOUR_US


def test_answers_to_others_and_to_earlier_records_change_nothing() -> None:
    rig = Rig()
    rig.run(S)

    rig.registering.hear(S, Registered(ALICE, rig.record().sequence - 1))
    rig.registering.hear(S, Registered(ONE, rig.record().sequence))

    assert not rig.registering.is_registered


def test_a_host_without_any_node_registers_nothing() -> None:
    rig = Rig()
    rig.run(S)
    rig.answer(S)

    for node in (ONE, TWO):
        rig.change(2 * S, node, is_up=False)
    count = len(rig.sent)
    rig.change(30 * S, TWO, is_up=True)
    rig.run(31 * S)

    assert len(rig.sent) > count
    assert rig.record().nodes == (TWO, ONE)


def guarded(guards: tuple[int, ...] | None) -> Registering:
    return Registering(
        ALICE,
        KEYS,
        send=lambda *_: None,
        dropped=Counter(),
        unix_offset_ns=UNIX_S * S,
        guards=guards,
    )


def test_a_node_is_told_of_guards_by_a_record_that_names_it() -> None:
    registering = guarded((37, 64))

    messages = [registering.guard(0, node) for node in (ONE, TWO)]

    records: list[AttachmentRecord] = []
    for message in messages:
        assert message is not None
        said = decode_attachment(message)
        assert isinstance(said, Guard)
        record, signer = open_record(said.envelope)
        assert isinstance(record, AttachmentRecord)
        assert signer == KEYS.identity_key
        records.append(record)
    assert [record.nodes for record in records] == [(ONE,), (TWO,)]
    assert {record.guards for record in records} == {(37, 64)}
    assert records[0].sequence < records[1].sequence


def test_who_says_nothing_of_guards_sends_nothing_of_them() -> None:
    assert guarded(None).guard(0, ONE) is None
    assert guarded(()).guard(0, ONE) is not None
