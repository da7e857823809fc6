"""What each datapath thread is told: the answers to its batch, and those that it waits for.

A packet that was held is answered later, in a batch that another thread may have brought. That
answer is an *extra*; as a reply of its own, to another thread than the one being answered, it is a
*stray*.
"""

from ei.runtime.batches import AnyAnswer, EncodedAnswer, Outcome
from ei.runtime.codec import Codec
from ei.runtime.holds import Held
from ei.runtime.orders import NO_EFFECTS, NOTHING

Stray = tuple[int, bytes]
"""Which thread it goes to, and its `EffectBatch`."""


class Replies:
    """Collects the extras of one batch, and keeps strays until they are taken.

    Attributes:
        epochs: The newest that each thread knows: decisions for it carry it.
        extras: For each thread that has some.
    """

    def __init__(
        self, pushed_out: list[Held], to_streams: list[EncodedAnswer], streams: int
    ) -> None:
        """Begin with nobody to tell.

        Args:
            pushed_out: Filled by others: packets whose threads are told that they are dropped.
            to_streams: Filled by others: what is said to who has the streams.
            streams: Who has them.
        """
        self._pushed_out = pushed_out
        self._to_streams = to_streams
        self._streams = streams
        self.epochs: dict[int, int] = {}
        self.extras: dict[int, list[AnyAnswer]] = {}
        self._strays: list[Stray] = []

    def add(self, origin: int, answer: AnyAnswer) -> None:
        """Add an extra for a thread, unless it says nothing."""
        if answer != NOTHING:
            self.extras.setdefault(origin, []).append(answer)

    def drop(self, origin: int, word: str) -> None:
        """Add for a thread that a packet which it held is dropped."""
        self.add(origin, EncodedAnswer(Outcome.DROPPED, word, NO_EFFECTS))

    def encode(
        self, codec: Codec, sequence: int, origin: int, answers: list[AnyAnswer]
    ) -> tuple[bytes, list[Stray]]:
        """Encode the reply to `origin`, its extras last, and the strays; no extras are left."""
        if self._pushed_out or self._to_streams:
            self._collect()
        if not self.extras:
            return codec.reply(sequence, self.epochs.get(origin, 0), answers), []
        answers += self.extras.pop(origin, ())
        reply = codec.reply(sequence, self.epochs.get(origin, 0), answers)
        strays = [
            (other, codec.reply(0, self.epochs.get(other, 0), extras))
            for other, extras in self.extras.items()
        ]
        self.extras.clear()
        return reply, strays

    def forget_extras(self) -> None:
        """Drop the extras: there is nobody to tell."""
        self.extras.clear()
        self._to_streams.clear()

    def keep(self, strays: list[Stray]) -> None:
        """Keep strays, now that what they acknowledge is safe."""
        self._strays += strays

    def take_strays(self) -> list[Stray]:
        """Return the strays that were kept."""
        strays, self._strays = self._strays, []
        return strays

    def _collect(self) -> None:
        for held in self._pushed_out:
            self.drop(held.origin, "hold_full")
        self._pushed_out.clear()
        for answer in self._to_streams:
            self.add(self._streams, answer)
        self._to_streams.clear()
