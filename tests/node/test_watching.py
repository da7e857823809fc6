"""What workers tell is kept in order, whatever they tell."""

import asyncio

import msgspec

from ei.node.watching import MOST_KEPT, Died, Limits, Running, Watching, limits_of
from ei.runtime.jail import OPEN
from ei.runtime.watching import Begun, Handled
from ei.testing.toys import toy_manifest

HANDLED = Handled(
    events=("PacketArrived",),
    connections=(7,),
    cpu_ns=1_000,
    effects=1,
    dropped=(),
    faults=(),
    memory_bytes=1,
)


def encoded(told: Begun | Handled) -> bytes:
    return msgspec.msgpack.encode(told)


def test_the_life_of_a_worker_is_kept_in_order() -> None:
    async def script() -> None:
        watching = Watching(["hello"])
        theirs = watching.open("hello")
        watching.running("hello", 5, OPEN)
        for told in (Begun(("PacketArrived",)), HANDLED, Begun(("TimerFired",))):
            _ = theirs.send(encoded(told))
        theirs.close()
        watching.died("hello", "SIGKILL", again_s=0.05)

        kept = watching.since("hello", 0)
        assert [each.number for each in kept] == [1, 2, 3]
        assert [each.entry for each in kept] == [
            Running(5, OPEN),
            HANDLED,
            Died("SIGKILL", ("TimerFired",), 0.05),
        ]
        assert watching.since("hello", 2) == kept[2:]
        watching.close()

    asyncio.run(script())


def test_that_a_worker_runs_comes_before_what_it_does_though_it_is_heard_later() -> None:
    async def script() -> None:
        watching = Watching(["hello"])
        theirs = watching.open("hello")
        _ = theirs.send(encoded(HANDLED))
        assert watching.since("hello", 0) == []

        watching.running("hello", 5, OPEN)

        kept = [each.entry for each in watching.since("hello", 0)]
        assert kept == [Running(5, OPEN), HANDLED]
        watching.close()
        theirs.close()

    asyncio.run(script())


def test_of_a_worker_that_had_answered_all_it_is_not_said_over_what_it_died() -> None:
    async def script() -> None:
        watching = Watching(["hello"])
        theirs = watching.open("hello")
        _ = theirs.send(encoded(Begun(("PacketArrived",))))
        _ = theirs.send(encoded(HANDLED))
        watching.died("hello", "SIGKILL", again_s=0.05)

        assert watching.since("hello", 1)[0].entry == Died("SIGKILL", (), 0.05)
        theirs.close()

    asyncio.run(script())


def test_what_makes_no_sense_is_left_out_and_the_newest_are_kept() -> None:
    async def script() -> None:
        watching = Watching(["hello"])
        theirs = watching.open("hello")
        watching.running("hello", 5, OPEN)
        _ = theirs.send(b"\xff nonsense")
        for _ in range(MOST_KEPT + 10):
            _ = theirs.send(encoded(HANDLED))
            _ = watching.since("hello", MOST_KEPT * 2)

        kept = watching.since("hello", 0)
        assert len(kept) == MOST_KEPT
        assert kept[-1].number == MOST_KEPT + 11
        watching.close()
        theirs.close()

    asyncio.run(script())


def test_only_what_is_named_is_watched() -> None:
    watching = Watching(["hello"])

    assert "hello" in watching
    assert "echo" not in watching


def test_limits_are_those_of_the_manifest_and_its_tier() -> None:
    manifest = toy_manifest(tier="nano", handler_ms=3, ephemeral_bytes=100_000)

    assert limits_of(manifest) == Limits(3, 250, 64, 64 * 1024 * 1024 + 300_000)
