"""How often one peer may ask: a bucket each, so that nobody's questions take all the time."""

from collections import OrderedDict
from collections.abc import Hashable

MAX_SENDERS = 4_096


class Rates:
    """Buckets by sender; of too many senders the one that was quiet the longest is forgotten.

    Args:
        rate_per_s: How often, for ever.
        burst: How often at once.
    """

    def __init__(self, *, rate_per_s: float, burst: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._left: OrderedDict[Hashable, list[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def __repr__(self) -> str:
        return f"<Rates {self._rate_per_s:g}/s, {len(self)}/{MAX_SENDERS} senders>"

    def is_allowed(self, sender: Hashable, now_s: float) -> bool:
        """Return whether `sender` may, and count it if so."""
        bucket = self._left.get(sender)
        if bucket is None:
            bucket = self._left[sender] = [self._burst, now_s]
            if len(self._left) > MAX_SENDERS:
                _ = self._left.popitem(last=False)
        else:
            self._left.move_to_end(sender)
        # Each host waits for this: what is left and since when is changed in place.
        left, since_s = bucket
        left += (now_s - since_s) * self._rate_per_s
        left = min(left, self._burst)
        is_allowed = left >= 1
        bucket[0], bucket[1] = left - is_allowed, now_s
        return is_allowed
