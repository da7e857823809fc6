"""A file goes through two nodes, and the same from end to end."""

import pytest

from ei.bench.stream import stream_of, sum_up


def test_nodes_may_take_two_fifths_of_the_rate() -> None:
    figure = sum_up([61e6, 62e6, 63e6], [100e6] * 3, 20_000_000)

    assert (figure.measured, figure.limit, figure.status) == (62.0, 60.0, "ok")
    assert figure.ratio == 0.62


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_file_arrives_both_ways() -> None:
    (figure,) = stream_of(runs=1, file_bytes=1_000_000)

    assert figure.runs == 1
    assert figure.measured > 0
    assert figure.baseline is not None
