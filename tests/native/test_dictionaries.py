"""The native stages and their reference, told the same, answer the same."""

from random import Random

import pytest

from ei._core import Dictionaries
from ei.conform.frames import FramePair, compare_frames
from ei.services.compression.stages import Reference

CASES = 100_000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_native_and_reference_agree_on_100_000_cases() -> None:
    both = FramePair(Reference, Random(1))

    for _ in range(CASES // 2):
        assert both.compress(both.draw_payload()) == ""
        assert both.decompress(both.draw_frame()) == ""

    expected = {
        "compressed", "left", "decompressed", "undecodable", "unknown_dictionary",
        "expands_too_much",
    }  # fmt: skip
    assert set(both.counts) == expected
    assert sum(both.counts.values()) == CASES
    assert min(both.counts.values()) > CASES // 200, both.counts


def test_native_and_reference_agree_on_a_few_hundred() -> None:
    assert compare_frames(Reference, Random(2)) == ""


def test_what_is_no_dictionary_is_refused() -> None:
    with pytest.raises(ValueError, match="no zstd dictionary of 32 KiB"):
        Dictionaries().keep(b"not one")
