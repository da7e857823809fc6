"""The shaper does to real datagrams what the model says, at the time it says."""

import socket
import statistics
import time  # noqa: TID251 real time is what is tested
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ei._core import Link, Shaper

pytestmark = pytest.mark.slow

Pair = tuple[socket.socket, socket.socket, str, Shaper]


@contextmanager
def shaped(forward: Link, backward: Link | None = None) -> Iterator[Pair]:
    """Two sockets joined by a link, and the endpoint at which the first reaches the second."""
    a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    a.bind(("127.0.0.1", 0))
    b.bind(("127.0.0.1", 0))
    for end in (a, b):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        end.settimeout(1.0)
    shaper = Shaper()
    a_side, b_side = shaper.add(
        "127.0.0.1:0",
        endpoint(a),
        "127.0.0.1:0",
        endpoint(b),
        forward=forward,
        backward=backward or Link(seed=0),
    )
    shaper.start()
    a.connect(address(a_side))
    b.connect(address(b_side))
    try:
        yield a, b, a_side, shaper
    finally:
        shaper.stop()
        a.close()
        b.close()


def endpoint(of: socket.socket) -> str:
    host, port = of.getsockname()
    return f"{host}:{port}"


def address(text: str) -> tuple[str, int]:
    host, port = text.rsplit(":", 1)
    return host, int(port)


def drain(end: socket.socket, *, quiet_s: float = 0.2) -> list[bytes]:
    """All that comes until nothing came for a while."""
    end.settimeout(quiet_s)
    got: list[bytes] = []
    try:
        while True:
            got.append(end.recv(65_536))
    except TimeoutError:
        return got


def test_a_perfect_link_carries_both_ways() -> None:
    with shaped(Link(seed=1)) as (a, b, _, _):
        a.send(b"there")
        assert b.recv(100) == b"there"

        b.send(b"and back")
        assert a.recv(100) == b"and back"


@pytest.mark.alone
def test_a_delay_is_kept_to_the_millisecond() -> None:
    with shaped(Link(seed=1, delay_s=0.02)) as (a, b, _, _):
        taken_s: list[float] = []
        for _ in range(50):
            start_s = time.perf_counter()
            a.send(b"x")
            b.recv(10)
            taken_s.append(time.perf_counter() - start_s)

    assert min(taken_s) >= 0.02
    assert statistics.median(taken_s) < 0.021


def test_loss_is_the_loss_that_the_same_seed_gives_in_simulation() -> None:
    offers = 2_000
    model = Link(seed=7, loss=0.1)
    expected = [n for n in range(offers) if model.offer_length(0, 4)]

    with shaped(Link(seed=7, loss=0.1)) as (a, b, _, _):
        for n in range(offers):
            a.send(n.to_bytes(4, "big"))
            if n % 100 == 99:
                time.sleep(0.002)
        got = [int.from_bytes(datagram, "big") for datagram in drain(b)]

    assert got == expected
    assert 150 < offers - len(got) < 250


@pytest.mark.alone
def test_a_rate_spaces_datagrams() -> None:
    # 100 datagrams of 972 B and 28 B of headers at 8 Mb/s take 1 ms each.
    with shaped(Link(seed=1, rate_bps=8_000_000)) as (a, b, _, _):
        start_s = time.perf_counter()
        for _ in range(100):
            a.send(bytes(972))
        for _ in range(100):
            b.recv(2_000)
        taken_s = time.perf_counter() - start_s

    assert 0.099 <= taken_s < 0.115


def test_a_change_takes_effect_at_once_and_a_cut_loses_everything() -> None:
    with shaped(Link(seed=1)) as (a, b, a_side, shaper):
        cut = Link(seed=2)
        cut.is_cut = True
        shaper.change(a_side, forward=cut, backward=Link(seed=3))
        a.send(b"lost")
        assert drain(b, quiet_s=0.1) == []

        cut.is_cut = False
        a.send(b"healed")
        b.settimeout(1.0)
        assert b.recv(100) == b"healed"
        assert shaper.statistics()[a_side]["lost"] == 1


def test_a_peer_without_a_port_is_learned_from_its_first_datagram() -> None:
    with shaped(Link(seed=1)) as (_, b, _, shaper):
        late = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        side, _ = shaper.add(
            "127.0.0.1:0",
            "127.0.0.1:0",
            "127.0.0.1:0",
            endpoint(b),
            forward=Link(seed=4),
            backward=Link(seed=5),
        )
        late.settimeout(1.0)
        late.sendto(b"hello", address(side))
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with late, other:
            # b is connected to the first relay, so the second one's datagram is not for it.
            assert shaper.statistics()[side]["offered"] in {0, 1}
            time.sleep(0.05)
            assert shaper.statistics()[side]["offered"] == 1


def test_wrong_endpoints_are_named() -> None:
    shaper = Shaper()

    with pytest.raises(ValueError, match="not IP:PORT"):
        shaper.add("here", "127.0.0.1:1", "127.0.0.1:0", "127.0.0.1:2",
                   forward=Link(seed=1), backward=Link(seed=1))  # fmt: skip
    with pytest.raises(KeyError, match="no relay"):
        shaper.change("127.0.0.1:9", forward=Link(seed=1), backward=Link(seed=1))
    shaper.stop()
