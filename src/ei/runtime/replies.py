"""What each datapath thread is told: the answers to its batch, and those that it waits for.

A packet that was held is answered later, in a batch that another thread may have brought. That
answer is an *extra*; as a reply of its own, to another thread than the one being answered, it is a
*stray*.
"""

from ei.runtime.batches import EncodedAnswer, Outcome
from ei.runtime.codec import Codec
from ei.runtime.orders import NO_EFFECTS, NOTHING

Stray = tuple[int, bytes]
"""Which thread it goes to, and its `EffectBatch`."""


class Replies:
    """Collects the extras of one batch, and keeps strays until they are taken."""

    def __init__(self) -> None:
        self._epochs: dict[int, int] = {}
        self._extras: dict[int, list[EncodedAnswer]] = {}
        self._strays: list[Stray] = []

    def set_epoch(self, origin: int, epoch: int) -> None:
        """Note the newest epoch that a thread knows: decisions for it carry it."""
        self._epochs[origin] = epoch

    def add(self, origin: int, answer: EncodedAnswer) -> None:
        """Add an extra for a thread, unless it says nothing."""
        if answer != NOTHING:
            self._extras.setdefault(origin, []).append(answer)

    def drop(self, origin: int, word: str) -> None:
        """Add for a thread that a packet which it held is dropped."""
        self.add(origin, EncodedAnswer(Outcome.DROPPED, word, NO_EFFECTS))

    def has(self, origin: int) -> bool:
        """Whether there are extras for a thread."""
        return origin in self._extras

    def encode(
        self, codec: Codec, sequence: int, origin: int, answers: list[EncodedAnswer]
    ) -> tuple[bytes, list[Stray]]:
        """Encode the reply to `origin`, its extras last, and the strays; no extras are left."""
        if not self._extras:
            return codec.reply(sequence, self._epochs.get(origin, 0), answers), []
        answers += self._extras.pop(origin, ())
        reply = codec.reply(sequence, self._epochs.get(origin, 0), answers)
        strays = [
            (other, codec.reply(0, self._epochs.get(other, 0), extras))
            for other, extras in self._extras.items()
        ]
        self._extras.clear()
        return reply, strays

    def forget_extras(self) -> None:
        """Drop the extras: there is nobody to tell."""
        self._extras.clear()

    def keep(self, strays: list[Stray]) -> None:
        """Keep strays, now that what they acknowledge is safe."""
        self._strays += strays

    def take_strays(self) -> list[Stray]:
        """Return the strays that were kept."""
        strays, self._strays = self._strays, []
        return strays
