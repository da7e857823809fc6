"""The reference of the decision cache, one rule at a time."""

from dataclasses import replace

from ei.sdk.decisions import Action, Decision, Discard, Forward, Hop, Key, Pass
from ei.sdk.packets import Address
from ei.sdk.stages import Stage, Tally
from ei.testing.model import DecisionModel, ServiceModel
from ei.testing.table_model import Question

SECOND_NS = 1_000_000_000
HOST = Address(b"h" * 16)
OTHER = Address(b"o" * 16)
QUESTION = Question(16, HOST, HOST, 7, b"meta")
TO_OTHER = Forward((Hop(OTHER),))


def model(*chain: int, entries: int = 64) -> DecisionModel:
    decisions = DecisionModel(
        entries=entries,
        tag_slot=hash,
        key_slot=lambda service, question: hash((service, question)),
    )
    for number in (16, 20, 30):
        decisions.add_service(ServiceModel(number))
    decisions.set_chain(16, list(chain))
    return decisions


def decision(
    action: Action,
    *,
    question: Question = QUESTION,
    ttl_s: float = 10.0,
    tag: bytes = b"tag",
    stages: tuple[Stage, ...] = (),
) -> Decision:
    key = Key(
        question.ingress,
        question.source,
        question.connection,
        question.metadata,
        question.egress,
        question.service,
    )
    return Decision(key, action, ttl_s, tag, stages)


def test_a_decision_answers_until_its_time_is_over() -> None:
    decisions = model()
    assert decisions.decide(0, QUESTION) == ("missing", 0, 16)

    assert decisions.install(0, 16, decision(TO_OTHER), decisions.epoch) == "installed"

    copies = [(OTHER, None, None, None, None)]
    assert decisions.decide(10 * SECOND_NS - 1, QUESTION) == ("forwarded", copies)
    assert decisions.decide(10 * SECOND_NS, QUESTION) == ("missing", 0, 16)


def test_a_revoked_tag_voids_what_was_installed_and_what_is_on_its_way() -> None:
    decisions = model()
    epoch = decisions.epoch
    _ = decisions.install(0, 16, decision(TO_OTHER), epoch)

    decisions.revoke(16, b"tag")

    assert decisions.decide(0, QUESTION) == ("missing", 0, 16)
    assert decisions.install(0, 16, decision(TO_OTHER), epoch) == "stale"
    assert decisions.install(0, 16, decision(TO_OTHER), decisions.epoch) == "installed"


def test_a_lost_peer_voids_decisions_that_name_it() -> None:
    decisions = model()
    _ = decisions.install(0, 16, decision(TO_OTHER), decisions.epoch)

    decisions.lose_peer(OTHER)

    assert decisions.decide(0, QUESTION) == ("missing", 0, 16)


def test_a_chain_asks_who_is_missing_and_is_joined_when_nobody_is() -> None:
    decisions = model(20, 16)
    _ = decisions.install(0, 16, decision(TO_OTHER), decisions.epoch)
    assert decisions.decide(0, QUESTION) == ("missing", 0, 20)

    passing = decision(Pass(), stages=(Tally(b"t"),))
    _ = decisions.install(0, 20, passing, decisions.epoch)

    assert decisions.decide(0, QUESTION, payload_bytes=5)[0] == "forwarded"
    assert len(decisions) == 3, "two parts and the joined entry"
    assert decisions.decide(0, QUESTION, payload_bytes=5)[0] == "forwarded"
    assert decisions.read_tally(20, b"t") == (2, 10)


def test_a_newer_answer_of_one_part_unjoins_the_chain() -> None:
    decisions = model(20, 16)
    for service, action in ((16, TO_OTHER), (20, Pass())):
        _ = decisions.install(0, service, decision(action), decisions.epoch)
    _ = decisions.decide(0, QUESTION)

    _ = decisions.install(0, 20, decision(Discard("late")), decisions.epoch)

    assert decisions.decide(0, QUESTION) == ("discarded", 20, "late")


def test_a_chain_that_ends_with_a_pass_is_broken() -> None:
    decisions = model()

    _ = decisions.install(0, 16, decision(Pass()), decisions.epoch)

    assert decisions.decide(0, QUESTION) == ("dropped", "chain_broken")


def test_guards_are_asked_before_the_last_pipe() -> None:
    decisions = model()
    decisions.set_guards(OTHER, [30])
    _ = decisions.install(0, 16, decision(TO_OTHER), decisions.epoch)
    assert decisions.decide(0, QUESTION) == ("missing", 0, 30)

    asked = replace(QUESTION, egress=OTHER)
    _ = decisions.install(0, 30, decision(Pass(), question=asked), decisions.epoch)

    assert decisions.decide(0, QUESTION) == ("forwarded", [(OTHER, None, None, None, None)])
    _ = decisions.install(0, 30, decision(Discard("spam"), question=asked), decisions.epoch)
    assert decisions.decide(0, QUESTION) == ("discarded", 30, "spam")


def test_a_guard_chooses_no_other_way() -> None:
    decisions = model()
    decisions.set_guards(OTHER, [30])
    asked = replace(QUESTION, egress=OTHER)

    refused = decisions.install(0, 30, decision(TO_OTHER, question=asked), decisions.epoch)

    assert refused == "refused"


def test_a_service_outside_the_chain_decides_nothing() -> None:
    assert model().install(0, 20, decision(TO_OTHER), 99) == "refused"


def test_what_reads_payloads_answers_covered_packets_only() -> None:
    decisions = model()
    decisions.add_service(ServiceModel(17, reads_payload=True))

    question = replace(QUESTION, service=17)

    assert decisions.decide(0, question, is_covered=False) == ("dropped", "not_covered")
    assert decisions.decide(0, question, is_covered=True) == ("missing", 0, 17)
    assert decisions.decide(0, replace(QUESTION, service=99)) == ("dropped", "unknown_service")


def test_with_no_room_every_packet_asks() -> None:
    decisions = model(20, 16, entries=0)

    assert decisions.install(0, 20, decision(Pass()), decisions.epoch) == "installed"

    assert decisions.decide(0, QUESTION) == ("missing", 0, 20)
