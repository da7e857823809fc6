"""Answers say how long they may be kept, and whether changes are told."""

from ei.directory import Named
from ei.directory.messages import Answer, Message
from ei.directory.publishing import Publishing
from ei.directory.statements import Statement
from ei.sdk.packets import Address

BOB = Named("bob.isp-b")
A, B = Address(b"a" * 16), Address(b"b" * 16)
STATEMENT = Statement(None, (b"e",), (), 1_000.0)


class Sent(list[tuple[Address, Message]]):
    """What was sent."""

    def take(self, peer: Address, message: Message) -> None:
        self.append((peer, message))


def publishing(limit: int = 10) -> tuple[Publishing, Sent]:
    sent = Sent()
    return Publishing(send=sent.take, limit_of_record=limit), sent


def test_a_lease_is_as_long_as_asked_for_and_the_answer_and_five_minutes_allow() -> None:
    publisher, sent = publishing()

    for peer, lease_s, expires_s in ((A, 120, 1_000.0), (B, 3_600, 1_000.0), (A, 120, 60.5)):
        publisher.answer(peer, BOB, Statement(None, (b"e",), (), expires_s), lease_s, now_s=0.0)

    assert [message for _, message in sent] == [
        Answer(BOB, (b"e",), lifetime_s, is_leased=True) for lifetime_s in (120, 300, 60)
    ]


def test_without_a_lease_an_answer_is_kept_for_a_second() -> None:
    publisher, sent = publishing(limit=1)

    publisher.answer(A, BOB, STATEMENT, 120, now_s=0.0)
    publisher.answer(B, BOB, STATEMENT, 120, now_s=0.0)
    publisher.answer(A, Named("al.isp-a"), STATEMENT, 0, now_s=0.0)

    assert [(peer, message.is_leased) for peer, message in sent if isinstance(message, Answer)] == [
        (A, True),
        (B, False),
        (A, False),
    ]
    assert publisher.is_followed(BOB)
    assert not publisher.is_followed(Named("al.isp-a"))


def test_changes_go_to_all_who_follow_but_to_who_is_down_later() -> None:
    publisher, sent = publishing()
    publisher.answer(A, BOB, STATEMENT, 120, now_s=0.0)
    publisher.answer(B, BOB, STATEMENT, 120, now_s=0.0)
    sent.clear()
    publisher.peer_down(B)

    publisher.tell(BOB, STATEMENT, now_s=20.0)

    assert sent == [(A, Answer(BOB, (b"e",), 100, is_leased=True))]
    assert publisher.take_missed(B) == {BOB}
    publisher.tell(BOB, STATEMENT, now_s=20.0, only=B)
    publisher.tell(BOB, STATEMENT, now_s=20.0, but={A, B})
    assert [peer for peer, _ in sent] == [A, B]


def test_who_is_released_or_whose_lease_has_ended_is_told_nothing() -> None:
    publisher, sent = publishing()
    publisher.answer(A, BOB, STATEMENT, 120, now_s=0.0)
    publisher.answer(B, BOB, STATEMENT, 60, now_s=0.0)
    sent.clear()

    publisher.release(BOB, A)
    publisher.expire(60.0)
    publisher.tell(BOB, STATEMENT, now_s=60.0)

    assert sent == []
    assert publisher.queries() == []
    assert publisher.statistics().answered == 2
