"""What is replayed is forwarded as if it had come by a socket, once."""

import pytest

from ei._core import Replay
from ei.bench.indoors import Indoors


def test_what_was_kept_is_handed_over_once_in_trains() -> None:
    indoors = Indoors()
    alice, bob = indoors.join(1), indoors.join(2)
    indoors.decide(alice, bob, range(3))
    replay = Replay()
    alice.seal(replay, bob, [0, 1, 2] * 20, b"word")
    assert len(replay) == 1

    datagrams, cpu_ns = replay.run(indoors.node, indoors.now_ns)

    assert (datagrams, indoors.look("forwarded"), len(replay)) == (60, 60, 0)
    assert cpu_ns > 0
    assert replay.run(indoors.node, indoors.now_ns) == (0, 0)


def test_places_that_are_not_named_are_not_handed_over() -> None:
    indoors = Indoors()
    alice, bob = indoors.join(1), indoors.join(2)
    indoors.decide(alice, bob, [0])
    replay = Replay()
    for _ in range(3):
        alice.seal(replay, bob, [0], b"word")

    datagrams, _ = replay.run(indoors.node, indoors.now_ns, order=[2, 0, 9])

    assert (datagrams, indoors.look("forwarded")) == (2, 2)


def test_a_source_that_is_no_endpoint_is_refused() -> None:
    indoors = Indoors()

    with pytest.raises(ValueError, match="nowhere"):
        Replay().take(indoors.node, "nowhere")
