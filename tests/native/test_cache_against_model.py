"""The native decision cache and its Python model, told the same, answer the same."""

import pytest
from tests.native.stories import TAGS, tell_until

from ei._core import DecisionCache
from ei.sdk.packets import NOWHERE

CASES = 100_000


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_b2_native_and_model_agree_on_100_000_packets() -> None:
    counts = tell_until(CASES)

    assert counts["forwarded"] > CASES // 5, counts
    assert min(counts.values()) > CASES // 500, counts


def test_a_tag_and_its_slot_stay_together() -> None:
    cache = DecisionCache(entries=8, secret=bytes(16))

    assert cache.tag_slot(b"red") == cache.tag_slot(b"red")
    assert len({cache.tag_slot(tag) for tag in TAGS}) == len(TAGS)
    assert NOWHERE == b""
