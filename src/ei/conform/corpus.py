"""What a module is played: drawn from its own declarations, and what its folder brings.

A corpus is stories, a story is steps, a step is events of one instant. The bytes in which each
environment gets them are those of a node: `EventBatch`es, with one that only says the time before
each step, so that what is due by then is done.
"""

from collections.abc import Iterator
from hashlib import sha256
from random import Random
from typing import NamedTuple

import msgspec

from ei.conform.drawing import draw_item
from ei.runtime.batches import MAX_BATCH_ITEMS, EventBatch, Item, PeersMeasured
from ei.runtime.loader import LoadedService
from ei.sdk import StreamClosed, StreamData, StreamOpened, StreamWritable

START_S = 1_000.0
START_UNIX_S = 1_800_000_000.0
PAUSES_S = (0.0, 0.0, 0.01, 0.5, 1.0, 1.0, 5.0, 30.0)
MOST_AT_ONCE = 4
DRAWN = "drawn"
TIME_PASSES = PeersMeasured({})
"""Of no peer: it brings the time, and nothing else."""

_OF_STREAMS = (StreamOpened, StreamData, StreamWritable, StreamClosed)
STREAMS = 1
"""The origin of events of streams; that of all others is 0."""


class Step(msgspec.Struct, frozen=True, array_like=True):
    """Events of one instant.

    Attributes:
        after_s: Time since the step before.
        items: At least one.
    """

    after_s: float
    items: tuple[Item, ...]


class Story(msgspec.Struct, frozen=True, array_like=True):
    """One life of a module.

    Attributes:
        name: `drawn`, or that of the file it comes from.
        config: Overrides of the manifest's defaults.
        steps: In order.
    """

    name: str
    config: dict[str, object]
    steps: tuple[Step, ...]

    @property
    def events(self) -> int:
        """How many there are."""
        return sum(len(step.items) for step in self.steps)


class Sent(NamedTuple):
    """One batch as an environment gets it.

    Attributes:
        first: Number of its first event in the story, from 1; 0 when it only brings the time.
        origin: Where it comes from.
        items: Its events.
        batch: The `EventBatch`.
    """

    first: int
    origin: int
    items: tuple[Item, ...]
    batch: bytes


def draw_story(loaded: LoadedService, random: Random, *, events: int) -> Story:
    """Draw a life of so many events."""
    steps: list[Step] = []
    left = events
    while left:
        count = min(left, random.choice((1, 1, 1, MOST_AT_ONCE)))
        pause_s = random.choice(PAUSES_S)
        steps.append(Step(pause_s, tuple(draw_item(loaded, random) for _ in range(count))))
        left -= count
    return Story(DRAWN, {}, tuple(steps))


def batches(story: Story, *, is_whole: bool = False) -> Iterator[Sent]:
    """Yield what an environment gets.

    Args:
        story: The life.
        is_whole: Whether neighbours of one instant share a batch, as under load; else each event
            has one of its own.
    """
    now_s, number, sequences = START_S, 1, [0, 0]

    def batch(origin: int, items: tuple[Item, ...]) -> bytes:
        sequences[origin] += 1
        unix_s = START_UNIX_S + now_s
        return msgspec.msgpack.encode(EventBatch(sequences[origin], 0, now_s, unix_s, items))

    for step in story.steps:
        now_s += step.after_s
        yield Sent(0, 0, (TIME_PASSES,), batch(0, (TIME_PASSES,)))
        for origin, items in _parts(step.items, most=MAX_BATCH_ITEMS if is_whole else 1):
            yield Sent(number, origin, items, batch(origin, items))
            number += len(items)


def digest_of(stories: tuple[Story, ...]) -> str:
    """Return the digest of a corpus: `sha256:` and 64 hexadecimal digits."""
    return f"sha256:{sha256(msgspec.msgpack.encode(stories)).hexdigest()}"


def _parts(items: tuple[Item, ...], *, most: int) -> Iterator[tuple[int, tuple[Item, ...]]]:
    """Yield neighbours of one origin, `most` of them at a time."""
    part: list[Item] = []
    for item in items:
        if part and (len(part) == most or _origin_of(item) != _origin_of(part[0])):
            yield _origin_of(part[0]), tuple(part)
            part = []
        part.append(item)
    if part:
        yield _origin_of(part[0]), tuple(part)


def _origin_of(item: Item) -> int:
    return STREAMS if isinstance(item, _OF_STREAMS) else 0
