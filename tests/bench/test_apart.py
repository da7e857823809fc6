"""What is measured apart is measured in a fresh process, which says what it found."""

import pytest

from ei.bench.apart import measured_apart, memory_bytes
from ei.errors import LocalError


@pytest.mark.slow
def test_a_module_that_fails_says_why() -> None:
    with pytest.raises(LocalError, match=r"threads ended: .*Error"):
        _ = measured_apart("threads", "many", of=dict[int, list[float]])


@pytest.mark.slow
def test_a_module_says_what_it_found() -> None:
    found = measured_apart("threads", 1, 1, of=dict[int, list[dict[str, float]]])

    assert [sorted(run) for run in found[1]] == [["cost_ns", "packets_per_s"]]


def test_memory_is_what_is_held() -> None:
    before_bytes = memory_bytes()

    held = bytearray(64_000_000)
    held[::4_096] = b"x" * len(held[::4_096])

    assert memory_bytes() - before_bytes > len(held) // 2
