"""Where there are no streams, as in simulation: whatever is opened is unreachable."""

import msgspec

from ei.runtime.batches import MAX_BATCH_ITEMS, EventBatch
from ei.runtime.environment import SLACK_S
from ei.sdk import OpenStream, StreamClosed

AFTER_S = 0.001
"""A service that opens again at once stops no clock."""

_OPEN = OpenStream.__struct_config__.tag


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    outcome: int
    reason: str
    effects: tuple[tuple[object, ...], ...]


class _Batch(msgspec.Struct, frozen=True, array_like=True):
    sequence: int
    epoch: int
    answers: tuple[_Answer, ...]


class Streamless:
    """Stands in for the thread that has the streams of one service."""

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._due_s = 0.0
        self._sequence = 0
        self._decode = msgspec.msgpack.Decoder(_Batch).decode

    def put_effects(self, now_s: float, batch: bytes) -> None:
        """Take an `EffectBatch` for the streams."""
        if not self._waiting:
            self._due_s = now_s + AFTER_S
        for answer in self._decode(batch).answers:
            for tag, stream, *_ in answer.effects:
                if tag == _OPEN and isinstance(stream, int):
                    self._waiting.append(stream)

    def next_deadline_s(self) -> float | None:
        """Return when `take_events` will have some, `None` for never."""
        return self._due_s if self._waiting else None

    def take_events(self, now_s: float, unix_s: float) -> bytes | None:
        """Return the next `EventBatch`, if it is due."""
        if not self._waiting or now_s + SLACK_S < self._due_s:
            return None
        streams = self._waiting[:MAX_BATCH_ITEMS]
        del self._waiting[:MAX_BATCH_ITEMS]
        self._sequence += 1
        items = tuple(StreamClosed(stream, "unreachable", 0, 0) for stream in streams)
        return msgspec.msgpack.encode(EventBatch(self._sequence, 0, now_s, unix_s, items))
