"""A node without a network decides and forwards as any other."""

import pytest

from ei._core import Replay
from ei.bench.indoors import Indoors
from ei.errors import LocalError


def test_decided_packets_are_hits() -> None:
    indoors = Indoors()
    alice, bob = indoors.join(1), indoors.join(2)
    indoors.decide(alice, bob, range(100))
    replay = Replay()
    alice.seal(replay, bob, range(100), bytes(100))

    cost_ns = indoors.run(replay)

    assert (indoors.look("missed"), indoors.look("forwarded")) == (100, 100)
    assert cost_ns > 0


def test_packets_that_nobody_decided_give_no_figure() -> None:
    indoors = Indoors()
    alice, bob = indoors.join(1), indoors.join(2)
    replay = Replay()
    alice.seal(replay, bob, range(3), b"")

    with pytest.raises(LocalError, match="of 3 packets 0 were forwarded"):
        _ = indoors.run(replay)


def test_without_packets_there_is_no_figure() -> None:
    with pytest.raises(LocalError, match="of 0 packets"):
        _ = Indoors().run(Replay())


def test_what_is_not_a_count_cannot_be_looked_at() -> None:
    with pytest.raises(LocalError, match="not a number"):
        _ = Indoors().look("peers")
