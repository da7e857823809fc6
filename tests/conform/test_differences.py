from pathlib import Path

from tests.conform.examples import case_of

from ei.conform.differences import EVENTS, answers_in_order, effects_in, first_difference, shown
from ei.conform.playing import Heard, Record
from ei.sdk import Hop, SendPacket, forward
from ei.testing import address


def changed(record: Record, old: bytes, new: bytes) -> Record:
    heard = [
        Heard(each.sent, [(to, reply.replace(old, new)) for to, reply in each.replies], ())
        for each in record.heard
    ]
    return Record(heard, record.state)


def test_equal_records_do_not_differ(tmp_path: Path) -> None:
    reference = case_of(tmp_path).reference

    assert first_difference(reference, reference) is None


def test_the_first_difference_is_said_with_its_event_and_field(tmp_path: Path) -> None:
    reference = case_of(tmp_path).reference
    other = changed(reference, address("alice"), address("alien"))

    difference = first_difference(other, reference)

    assert difference is not None
    number, said = difference
    assert number > 0
    assert said.startswith("PacketArrived: answer 1: effects 2: InstallDecision.decision.key.")
    assert said.endswith("was expected")


def test_a_state_that_differs_is_said(tmp_path: Path) -> None:
    reference = case_of(tmp_path).reference

    difference = first_difference(Record(reference.heard, "another"), reference)

    assert difference is not None
    assert "state" in difference[1]


def test_effects_have_their_types(tmp_path: Path) -> None:
    heard = case_of(tmp_path).reference.heard

    kinds = {
        type(effect) for each in heard for _, reply in each.replies for effect in effects_in(reply)
    }

    assert SendPacket in kinds


def test_each_event_has_its_answer(tmp_path: Path) -> None:
    case = case_of(tmp_path)

    answers = answers_in_order(case.reference)

    assert len(answers[EVENTS]) == case.story.events
    assert not answers["to thread 0"]


def test_addresses_are_shown_by_name_and_long_values_short() -> None:
    assert shown(Hop(address("bob"))).startswith("Hop(to=bob")
    assert len(shown(bytes(1_000))) < 130
    assert forward
