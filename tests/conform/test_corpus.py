from random import Random

import msgspec

from ei.conform.corpus import STREAMS, Step, Story, batches, digest_of, draw_story
from ei.runtime.batches import EventBatch
from ei.runtime.loader import load_service
from ei.sdk import Address, PeerChanged, StreamWritable

PEER = Address(b"p" * 16)
UP, DOWN, WRITABLE = PeerChanged(PEER, is_up=True), PeerChanged(PEER, False), StreamWritable(2, 9)  # noqa: FBT003
STORY = Story("example", {}, (Step(1.0, (UP, DOWN, WRITABLE, UP)), Step(0.5, (DOWN,))))


def test_a_story_has_as_many_events_as_were_asked_for() -> None:
    story = draw_story(load_service("echo"), Random(1), events=33)

    assert story.events == 33


def test_each_event_has_a_batch_of_its_own_and_each_step_one_that_brings_the_time() -> None:
    sent = list(batches(STORY))

    assert [each.first for each in sent] == [0, 1, 2, 3, 4, 0, 5]
    assert [each.origin for each in sent] == [0, 0, 0, STREAMS, 0, 0, 0]
    read = [msgspec.msgpack.decode(each.batch, type=EventBatch) for each in sent]
    assert [each.now_s for each in read] == [1_001.0] * 5 + [1_001.5] * 2
    assert [each.sequence for each in read if isinstance(each.items[0], StreamWritable)] == [1]


def test_whole_batches_have_neighbours_of_one_origin() -> None:
    sent = list(batches(STORY, is_whole=True))

    assert [(each.first, len(each.items)) for each in sent] == [
        (0, 1), (1, 2), (3, 1), (4, 1), (0, 1), (5, 1),
    ]  # fmt: skip


def test_another_event_is_another_corpus() -> None:
    other = Story("example", {}, (*STORY.steps, Step(0.0, (UP,))))

    assert digest_of((STORY,)) != digest_of((other,))
    assert digest_of((STORY,)).startswith("sha256:")
