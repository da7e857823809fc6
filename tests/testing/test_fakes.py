import msgspec
import pytest

from ei.runtime.batches import Answer, EffectBatch, EventBatch, Outcome
from ei.sdk import RevokeDecisions, Started
from ei.testing import FakeDatapath
from ei.testing.toys import toy_packet

NUMBER = 7


def datapath(*, packets: int) -> FakeDatapath:
    made = FakeDatapath()
    made.add_service(NUMBER)
    for _ in range(packets):
        made.put_event(NUMBER, toy_packet())
    return made


def take(fake: FakeDatapath) -> EventBatch:
    batch = fake.take_events(2_500_000_000, 1e9, NUMBER)
    assert batch is not None
    return msgspec.msgpack.decode(batch, type=EventBatch)


def test_events_come_in_batches_of_64_at_most_and_started_is_the_first() -> None:
    fake = datapath(packets=70)

    first, second = take(fake), take(fake)

    assert (first.sequence, first.now_s, len(first.items)) == (1, 2.5, 64)
    assert isinstance(first.items[0], Started)
    assert (second.sequence, len(second.items)) == (2, 7)
    assert fake.take_events(0, 0.0, NUMBER) is None
    assert fake.services_with_events() == []


def test_every_packet_ends_under_one_word() -> None:
    fake = datapath(packets=4)
    outcomes = [
        Answer(Outcome.NONE, "", ()),
        Answer(Outcome.ANSWERED, "", (RevokeDecisions(b"t"),)),
        Answer(Outcome.PASSED, "", ()),
        Answer(Outcome.HELD, "", ()),
        Answer(Outcome.DROPPED, "unwanted", ()),
    ]
    fake.put_effects(0, NUMBER, msgspec.msgpack.encode(EffectBatch(1, 0, tuple(outcomes))))

    assert fake.fates[NUMBER] == {"waiting": 1, "answered": 1, "passed": 1, "unwanted": 1}
    assert fake.epochs == {NUMBER: 1}


def test_events_that_are_no_packets_have_no_fate() -> None:
    fake = datapath(packets=0)

    fake.put_event(NUMBER, Started())

    assert fake.fates[NUMBER] == {"waiting": 0}
    assert len(take(fake).items) == 2


def test_a_lost_worker_loses_what_it_had_and_no_more() -> None:
    fake = datapath(packets=64)
    _ = take(fake)

    fake.lose_worker(0, NUMBER)

    assert fake.fates[NUMBER] == {"waiting": 1, "worker_lost": 63}
    assert isinstance(take(fake).items[0], Started)


def test_what_is_no_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected"):
        datapath(packets=0).put_effects(0, NUMBER, b"\x01")
