import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.runtime.batches import Answer, EffectBatch, Outcome
from ei.runtime.pieces import cut
from ei.sdk import (
    Address,
    Connection,
    Count,
    Effect,
    Packet,
    PassPacket,
    RevokeDecisions,
    SendPacket,
)

A = Address(b"a" * 16)


def packet(payload_bytes: int) -> Packet:
    return Packet(16, A, A, Connection(1), payload=bytes(payload_bytes))


def reply(*answers: Answer) -> bytes:
    return msgspec.msgpack.encode(EffectBatch(7, 3, answers))


def answered(*effects: Effect) -> Answer:
    return Answer(Outcome.ANSWERED, "", effects)


def read(messages: list[bytes]) -> list[EffectBatch]:
    return [msgspec.msgpack.decode(message, type=EffectBatch) for message in messages]


def test_what_fits_into_one_message_stays_as_it_is() -> None:
    whole = reply(answered(SendPacket(packet(10), A)))

    assert cut(whole) == [whole]


def test_effects_go_ahead_and_the_answer_comes_last() -> None:
    whole = reply(answered(*[SendPacket(packet(400), A)] * 5))

    *ahead, last = read(cut(whole, limit_bytes=1_000))

    assert [(batch.sequence, batch.epoch) for batch in ahead] == [(0, 3)] * 3
    assert all(batch.answers[0].outcome is Outcome.NONE for batch in ahead)
    assert [len(batch.answers[0].effects) for batch in ahead] == [2, 2, 1]
    assert (last.sequence, last.epoch) == (7, 3)
    assert last.answers == (Answer(Outcome.ANSWERED, "", ()),)


def test_decisions_go_before_the_packets_of_their_event() -> None:
    whole = reply(
        answered(SendPacket(packet(400), A), RevokeDecisions(b"t"), Count("seen")),
        answered(SendPacket(packet(400), A)),
    )

    ahead, _ = read(cut(whole, limit_bytes=960))

    tags = [effect[0] for effect in ahead.answers[0].effects if isinstance(effect, list)]
    assert tags == [4, 0, 10, 0]


def test_a_packet_that_is_handed_on_stays_with_its_answer() -> None:
    passed = Answer(Outcome.PASSED, "", (RevokeDecisions(b"t"), PassPacket(packet(400))))

    ahead, last = read(cut(reply(passed), limit_bytes=100))

    assert [effect[0] for effect in ahead.answers[0].effects if isinstance(effect, list)] == [4]
    assert [effect[0] for effect in last.answers[0].effects if isinstance(effect, list)] == [5]


def test_a_reply_of_answers_alone_is_not_cut() -> None:
    whole = reply(*[Answer(Outcome.DROPPED, "hold_timeout", ())] * 64)

    assert cut(whole, limit_bytes=100) == [whole]


@pytest.mark.slow
@given(st.lists(st.lists(st.integers(0, 300), max_size=5), max_size=5), st.integers(1, 1_000))
def test_nothing_is_lost_and_nothing_is_larger_than_it_must(
    sizes: list[list[int]], limit_bytes: int
) -> None:
    whole = reply(*[answered(*[SendPacket(packet(n), A) for n in each]) for each in sizes])

    messages = cut(whole, limit_bytes=limit_bytes)

    effects = [e for batch in read(messages) for answer in batch.answers for e in answer.effects]
    assert len(effects) == sum(map(len, sizes))
    for message, batch in zip(messages[:-1], read(messages)[:-1], strict=True):
        assert len(message) <= limit_bytes + 20 or len(batch.answers[0].effects) == 1


@pytest.mark.parametrize("payload_bytes", [0, 65_000])
def test_one_effect_is_never_cut(payload_bytes: int) -> None:
    whole = reply(answered(SendPacket(packet(payload_bytes), A)))

    ahead, _ = cut(whole, limit_bytes=10)

    assert len(ahead) > payload_bytes
