"""Where `ctx.random` comes from: repeatable, and nothing that was drawn tells what else is.

An event's bits are BLAKE2b, keyed by the seed, over its number and a counter:

    blake2b(event u64 | block u64, key=seed), 64 bytes each
"""

from hashlib import blake2b
from random import Random

SEED_BYTES = 32
MOST_BYTES = 2**20
"""Drawn at once. Who asks for more, as by `getrandbits(2**40)`, is refused before it takes any."""

_RANDOM_BITS = 53


class EventRandomness:
    """One generator for each event, the same whatever was drawn before.

    Args:
        seed: 1 to 64 bytes; 32 of the system make what is drawn fit for keys.
    """

    __slots__ = ("_random", "event")

    def __init__(self, seed: bytes) -> None:
        self.event = 0
        self._random = _EventRandom(seed)

    def of_event(self) -> Random:
        """Return the generator of the event whose number is in `event`."""
        self._random.begin(self.event)
        return self._random


class _EventRandom(Random):
    """Draws from one event's bits, and goes over to the next event's."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._event = -1
        self._block = 0
        self._left = b""
        super().__init__(0)

    def begin(self, event: int) -> None:
        """Go over to an event, unless this is its generator already."""
        if event != self._event:
            self._event = event
            self._block = 0
            self._left = b""
            self.gauss_next = None  # a number that `gauss` drew too much

    def randbytes(self, n: int) -> bytes:
        """Return the next `n` bytes.

        Raises:
            ValueError: More than `MOST_BYTES`.
        """
        if n > MOST_BYTES:
            raise ValueError(f"{n} B of randomness at once: at most {MOST_BYTES} allowed")
        drawn = bytearray(self._left)
        while len(drawn) < n:
            counted = self._event.to_bytes(8, "little") + self._block.to_bytes(8, "little")
            drawn += blake2b(counted, key=self._seed).digest()
            self._block += 1
        self._left = bytes(drawn[n:])
        return bytes(drawn[:n])

    def getrandbits(self, k: int) -> int:
        """Return a number of `k` bits, all of them drawn.

        Raises:
            ValueError: Fewer than 0, or more than `MOST_BYTES` have.
        """
        if k < 0:
            raise ValueError("a number of bits is 0 or more")  # as of Random itself
        count = (k + 7) // 8
        return int.from_bytes(self.randbytes(count), "little") >> (count * 8 - k)

    def random(self) -> float:
        """Return a number from 0 up to 1, of 53 bits."""
        return self.getrandbits(_RANDOM_BITS) * 2.0**-_RANDOM_BITS
