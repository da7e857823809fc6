"""Whether what one party saw tells which of the values that another was shown belong to it.

Both are columns of numbers, and row i of one belongs to row i of the other. Each column of one is
held against each of the other by two tests, whose outcome is in standard deviations from what
columns without a connection give:

- ranks: Spearman's rank correlation, either way;
- bits: chi-square over the two-by-two table of each bit of both, summed up over the bits.

A link is certain from 5 on. Without one, more than that comes up once in a million comparisons.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import cbrt, sqrt
from typing import NamedTuple

CERTAIN = 5.0


class Link(NamedTuple):
    """Two columns that belong together more than chance has it.

    Attributes:
        seen: Name of the column of one party.
        shown: Name of the other's.
        test: "ranks" or "bits".
        deviation: In standard deviations; `CERTAIN` and more is no chance.
    """

    seen: str
    shown: str
    test: str
    deviation: float


def strongest_link(seen: Mapping[str, Sequence[int]], shown: Mapping[str, Sequence[int]]) -> Link:
    """Return the strongest link there is. Some thousand rows are needed to see weak ones.

    Args:
        seen: Columns by name, of numbers from 0 up, all of one length.
        shown: Likewise, with as many rows in the same order.
    """
    ours = {name: _Column(numbers) for name, numbers in seen.items()}
    theirs = {name: _Column(numbers) for name, numbers in shown.items()}
    return max(
        (
            Link(one, other, test, deviation(ours[one], theirs[other]))
            for one in ours
            for other in theirs
            for test, deviation in (("ranks", _by_ranks), ("bits", _by_bits))
        ),
        key=lambda link: link.deviation,
    )


class _Column:
    """Numbers as both tests want them: their ranks, and one number of all rows for each bit."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.rows = len(numbers)
        self.ranks = _ranks(numbers)
        width = max(max(numbers).bit_length(), 1)
        digits = "".join(f"{number:0{width}b}" for number in numbers)
        self.bits = [int(digits[place::width], 2) for place in reversed(range(width))]


def _ranks(numbers: Sequence[int]) -> list[float]:
    """Return each number's place by size, less the mean; equal ones share theirs."""
    ranks = [0.0] * len(numbers)
    places = iter(range(len(numbers)))
    by_size = sorted(range(len(numbers)), key=numbers.__getitem__)
    for _, group in groupby(by_size, key=numbers.__getitem__):
        rows = list(group)
        shared = sum(next(places) for _ in rows) / len(rows) - (len(numbers) - 1) / 2
        for row in rows:
            ranks[row] = shared
    return ranks


def _by_ranks(one: _Column, other: _Column) -> float:
    spread = sqrt(sum(a * a for a in one.ranks) * sum(b * b for b in other.ranks))
    if not spread:
        return 0.0
    together = sum(a * b for a, b in zip(one.ranks, other.ranks, strict=True))
    return abs(together) / spread * sqrt(one.rows - 1)


def _by_bits(one: _Column, other: _Column) -> float:
    """Return by how much the sum of chi-squares is above that of as many free bits."""
    total, free = 0.0, 0
    for a, b in zip(one.bits, other.bits, strict=False):
        ones, others = a.bit_count(), b.bit_count()
        spread = ones * others * (one.rows - ones) * (one.rows - others)
        if spread:
            excess = one.rows * (a & b).bit_count() - ones * others
            total += one.rows * excess * excess / spread
            free += 1
    if not free:
        return 0.0
    # Wilson and Hilferty: the cube root of a chi-square is nearly normal, also with one free bit.
    variance = 2 / (9 * free)
    return (cbrt(total / free) - (1 - variance)) / sqrt(variance)
