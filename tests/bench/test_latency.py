"""How long a packet takes: what is counted as taken, and what as lost."""

import socket
from collections.abc import Iterator

import pytest

from ei.bench.latency import (
    PROBES,
    latency,
    probe_node,
    probe_plain,
    probe_sockets,
    quantile,
    sum_up,
    why_lost,
)
from ei.bench.world import World


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two sockets, the first of which sends to the second."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5.0)
        sender.connect(receiver.getsockname())
        yield sender, receiver


@pytest.mark.parametrize(
    ("times", "rank", "expected"),
    [
        ([7.0], 0.5, 7.0),
        ([7.0], 0.99, 7.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        (list(range(1_000)), 0.5, 500),
        (list(range(1_000)), 0.99, 990),
        (list(range(1_000)), 1.0, 999),
    ],
)
def test_a_quantile_is_what_that_share_is_below(
    times: list[float], rank: float, expected: float
) -> None:
    assert quantile(times, rank) == expected


@pytest.mark.parametrize(
    ("arrived", "why"),
    [
        ([PROBES, PROBES], ""),
        ([PROBES, PROBES * 99 // 100], ""),
        ([PROBES, PROBES * 98 // 100], "only 980 of 1000 probes arrived"),
        ([PROBES, 0], "only 0 of 1000 probes arrived"),
        ([], "only 0 of 1000 probes arrived"),
    ],
)
def test_runs_that_lost_more_than_a_hundredth_are_invalid(arrived: list[int], why: str) -> None:
    assert why_lost([[1.0] * count for count in arrived]) == why


def test_a_node_may_take_a_quarter_longer_than_the_plain_forwarder() -> None:
    p50, p99 = sum_up("sleeping", [[24.0] * PROBES], [[20.0] * PROBES])

    assert (p50.name, p50.status, p50.limit) == ("latency p50, one hop, sleeping", "ok", 25.0)
    assert (p99.name, p99.status, p99.limit) == ("latency p99, one hop, sleeping", "ok", 25.0)
    assert (p50.measured, p50.baseline, p50.ratio) == (24.0, 20.0, 1.2)


def test_more_than_that_misses_the_limit() -> None:
    p50, _ = sum_up("polling", [[26.0] * PROBES], [[20.0] * PROBES])

    assert p50.status == "missed"


def test_p99_is_of_the_slowest() -> None:
    own = [1.0] * (PROBES * 98 // 100) + [500.0] * (PROBES * 2 // 100)

    p50, p99 = sum_up("sleeping", [own], [[1.0] * PROBES])

    assert (p50.measured, p99.measured) == (1.0, 500.0)


@pytest.mark.parametrize(
    ("own", "plain"), [([10.0], [20.0] * PROBES), ([10.0] * PROBES, []), ([], [])]
)
def test_what_did_not_arrive_is_no_good_figure(own: list[float], plain: list[float]) -> None:
    p50, p99 = sum_up("sleeping", [own], [plain])

    assert (p50.status, p99.status) == ("invalid", "invalid")
    assert "probes arrived" in p50.note


def test_each_probe_is_timed(pair: tuple[socket.socket, socket.socket]) -> None:
    taken_us = probe_sockets(*pair, probes=20)

    assert len(taken_us) == 20
    assert all(0.0 < each < 5e6 for each in taken_us)


def test_what_comes_late_is_not_taken_for_what_was_sent_last(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    sender, receiver = pair
    sender.send(b"one that is late")

    taken_us = probe_sockets(sender, receiver, probes=5)

    assert len(taken_us) == 5
    receiver.setblocking(False)  # noqa: FBT003 its own interface
    with pytest.raises(BlockingIOError):
        receiver.recv(2_048)


@pytest.mark.slow
def test_probes_travel_through_the_plain_forwarder() -> None:
    taken_us = probe_plain(probes=50)

    assert len(taken_us) == 50
    assert min(taken_us) > 1.0


@pytest.mark.slow
@pytest.mark.parametrize("is_new_connection", [False, True])
def test_probes_travel_through_the_node_and_new_connections_through_the_service(
    world: World, *, is_new_connection: bool
) -> None:
    with_service = world.look()["answered"]
    assert isinstance(with_service, int)

    taken_us = probe_node(world, is_new_connection=is_new_connection, probes=50)

    decided = world.look()["answered"]
    assert isinstance(decided, int)
    assert len(taken_us) == 50
    assert (decided - with_service > 50) == is_new_connection


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_it_is_measured_with_sleeping_and_polling_threads_beside_the_plain_forwarder() -> None:
    figures = list(latency(runs=1))

    assert [figure.name.removeprefix("latency ") for figure in figures] == [
        "p50, one hop, sleeping",
        "p99, one hop, sleeping",
        "p50, one hop, polling",
        "p99, one hop, polling",
    ]
    assert all(figure.measured > 1.0 for figure in figures)
    assert all(figure.baseline and figure.baseline > 1.0 for figure in figures)
    assert all(figure.limit for figure in figures)
