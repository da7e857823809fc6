"""Stand-ins with the behaviour that matters, for tests of what is around them."""

from collections import deque

import msgspec

from ei.runtime.batches import (
    MAX_BATCH_ITEMS,
    Answer,
    EffectBatch,
    EventBatch,
    Item,
    Outcome,
)
from ei.sdk import PacketArrived, RevokeDecisions, Started

_REVOKE = RevokeDecisions.__struct_config__.tag


class FakeDatapath:
    """Queues of events and the books of law 6, without packets, pipes or cache.

    Attributes:
        answers: What each service answered, oldest first.
        fates: Of the packets that missed, by service: how many are waiting, were answered,
            passed, or dropped for which reason.
        epochs: Revocation epoch by service.
    """

    def __init__(self) -> None:
        self._queues: dict[int, deque[Item]] = {}
        self._sequence = 0
        self._outstanding: dict[int, int] = {}
        self.answers: dict[int, list[Answer]] = {}
        self.fates: dict[int, dict[str, int]] = {}
        self.epochs: dict[int, int] = {}

    def add_service(self, service: int) -> None:
        """Run a service: its first event is `Started`."""
        self._queues[service] = deque([Started()])
        self.answers[service] = []
        self.fates[service] = {"waiting": 0}
        self.epochs[service] = 0

    def put_event(self, service: int, item: Item) -> None:
        """Queue an event."""
        self._queues[service].append(item)
        if isinstance(item, PacketArrived):
            self.fates[service]["waiting"] += 1

    # -- as the datapath ------------------------------------------------------------------------

    def services_with_events(self) -> list[int]:
        """Return the services whose queue is not empty."""
        return [service for service, queue in self._queues.items() if queue]

    def take_events(self, now_ns: int, unix_s: float, service: int) -> bytes | None:
        """Return the next `EventBatch`."""
        queue = self._queues[service]
        if not queue:
            return None
        items = tuple(queue.popleft() for _ in range(min(len(queue), MAX_BATCH_ITEMS)))
        self._sequence += 1
        now_s = now_ns / 1_000_000_000
        return msgspec.msgpack.encode(
            EventBatch(self._sequence, self.epochs[service], now_s, unix_s, items)
        )

    def put_effects(self, now_ns: int, service: int, batch: bytes) -> None:
        """Note the answers of an `EffectBatch`.

        Raises:
            ValueError: It is none.
        """
        for answer in msgspec.msgpack.decode(batch, type=EffectBatch).answers:
            self.answers[service].append(answer)
            self._end(service, answer)

    def lose_worker(self, now_ns: int, service: int) -> None:
        """Drop what it had not answered; `Started` leads its next batch."""
        queued = sum(isinstance(item, PacketArrived) for item in self._queues[service])
        fates = self.fates[service]
        fates["worker_lost"] = fates.get("worker_lost", 0) + fates["waiting"] - queued
        fates["waiting"] = queued
        self._queues[service].appendleft(Started())

    def _end(self, service: int, answer: Answer) -> None:
        fates = self.fates[service]
        if answer.outcome not in (Outcome.NONE, Outcome.HELD):
            word = answer.reason or answer.outcome.name.lower()
            fates["waiting"] -= 1
            fates[word] = fates.get(word, 0) + 1
        for effect in answer.effects:
            if isinstance(effect, list) and effect[0] == _REVOKE:
                self.epochs[service] += 1
