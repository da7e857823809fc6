"""A node hears changes of what it needed within the last minute."""

from ei.directory import Named, Resolution
from ei.directory.statements import Statement
from ei.directory.uses import MAX_USES, Uses, resolved

BOB = Named("bob.isp-b")


def test_the_latest_answer_is_told_while_it_is_in_use() -> None:
    uses = Uses()
    uses.note(BOB, now_s=100.0)
    uses.tell(Resolution(BOB, None, "busy"), now_s=110.0)
    uses.tell(Resolution(BOB, None), now_s=120.0)

    assert uses.take() == [Resolution(BOB, None)]
    assert uses.take() == []


def test_what_was_not_needed_for_a_minute_is_told_to_nobody() -> None:
    uses = Uses()
    uses.note(BOB, now_s=100.0)

    uses.tell(Resolution(BOB, None), now_s=160.0)
    uses.tell(Resolution(Named("al.isp-a"), None), now_s=100.0)

    assert uses.take() == []


def test_uses_are_bounded() -> None:
    uses = Uses()

    for number in range(MAX_USES + 5):
        uses.note(Named(f"n{number}.isp-b"), now_s=1.0)

    assert len(uses.queries()) == MAX_USES


def test_a_statement_becomes_what_is_known_of_a_query() -> None:
    assert resolved(BOB, Statement(None, (b"e",))) == Resolution(BOB, None, "", (b"e",))
