"""Where `ctx.random` comes from: repeatable, and the same whatever was drawn before."""

from random import Random


class EventRandomness:
    """One generator for each event, seeded by (seed, event number), made when it is asked for."""

    __slots__ = ("_made_for", "_random", "_seed", "event")

    def __init__(self, seed: int) -> None:
        self.event = 0
        self._seed = seed
        self._made_for = -1
        self._random = Random(0)

    def of_event(self) -> Random:
        """Return the generator of the event whose number is in `event`."""
        if self._made_for != self.event:
            self._random = Random(self._seed << 64 | self.event)
            self._made_for = self.event
        return self._random
