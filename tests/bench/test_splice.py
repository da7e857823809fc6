"""What passing bytes on costs: a figure beside a program that does nothing else."""

import os
import time
from pathlib import Path

import pytest

from ei.bench.splice import UNIT, cpu_ns, quic_in, sum_up, tcp_in

SOME_BYTES = 3_000_000


def test_the_baseline_is_the_way_of_working_that_costs_haproxy_less() -> None:
    copying_is_cheap = sum_up([4.0], copied=[3.0], spliced=[5.0])
    splicing_is_cheap = sum_up([4.0], copied=[5.0], spliced=[3.0])

    assert copying_is_cheap.baseline == splicing_is_cheap.baseline == 3.0
    assert "in TCP mode, copying; splicing it takes 5.0" in copying_is_cheap.note
    assert "in TCP mode, splicing; copying it takes 5.0" in splicing_is_cheap.note


@pytest.mark.parametrize(("measured", "status"), [(6.0, "ok"), (6.1, "missed")])
def test_twice_the_baseline_is_the_limit(measured: float, status: str) -> None:
    figure = sum_up([measured], copied=[3.0], spliced=[5.0])

    assert (figure.limit, figure.status) == (6.0, status)


def test_without_haproxy_the_figure_is_invalid_and_says_what_to_install() -> None:
    figure = sum_up([4.0], copied=[], spliced=[])

    assert (figure.status, figure.measured) == ("invalid", 4.0)
    assert figure.note == "no baseline: haproxy is not installed: apt-get install haproxy"


def test_the_cpu_time_of_a_process_is_read_from_outside() -> None:
    before_ns = time.process_time_ns()

    seen_ns = cpu_ns(os.getpid())

    assert before_ns <= seen_ns <= time.process_time_ns()


@pytest.mark.slow
def test_a_node_and_haproxy_pass_everything_on(tmp_path: Path) -> None:
    figure = tcp_in(tmp_path, runs=1, amount_bytes=SOME_BYTES)

    assert (figure.unit, figure.runs) == (UNIT, 1)
    assert figure.status in {"ok", "missed"}, figure.note
    assert figure.measured > 0.0
    assert figure.baseline is not None


@pytest.mark.slow
def test_a_node_and_a_plain_forwarder_pass_everything_on_by_quic(tmp_path: Path) -> None:
    whole, alone = quic_in(tmp_path, runs=1, amount_bytes=SOME_BYTES)

    assert whole.measured > alone.measured > 0.0
    assert whole.baseline == alone.baseline
    assert whole.status in {"ok", "missed"}
    assert alone.status == "printed"
