"""What virtual time promises."""

import asyncio

import pytest

from ei.lab.clock import START_NS, SimulationStuckError, VirtualClock, VirtualLoop, run_virtual


def test_a_day_of_sleep_takes_no_time() -> None:
    async def program(clock: VirtualClock) -> int:
        await asyncio.sleep(80_000)
        return clock.now_ns

    assert run_virtual(program) == START_NS + 80_000 * 10**9


def test_events_of_one_instant_come_in_order_of_link_then_sequence() -> None:
    order: list[str] = []

    async def program(clock: VirtualClock) -> None:
        when_ns = clock.now_ns + 1_000_000
        clock.at(when_ns, lambda _: order.append("link 2"), link=2)
        clock.at(when_ns, lambda _: order.append("link 1, first"), link=1)
        clock.at(when_ns, lambda _: order.append("link 1, second"), link=1)
        await asyncio.sleep(0.001)
        order.append("program")
        await asyncio.sleep(0.001)

    run_virtual(program)

    assert order == ["program", "link 1, first", "link 1, second", "link 2"]


def test_an_event_wakes_the_program_at_its_own_time() -> None:
    async def program(clock: VirtualClock) -> tuple[int, int]:
        future = asyncio.get_running_loop().create_future()
        clock.at(clock.now_ns + 123, future.set_result)
        clock.at(clock.now_ns + 456, lambda _: None)
        return int(await future), clock.now_ns

    assert run_virtual(program) == (START_NS + 123, START_NS + 123)


def test_a_timer_set_by_an_event_is_not_overslept() -> None:
    async def program(clock: VirtualClock) -> int:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        clock.at(
            clock.now_ns + 10**9,
            lambda _: loop.call_later(0.5, lambda: done.set_result(clock.now_ns)) and None,
        )
        async with asyncio.timeout(60):
            return await done

    assert run_virtual(program) == START_NS + 1_500_000_000


def test_a_program_that_waits_for_nothing_is_told_so() -> None:
    async def program(_: VirtualClock) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(SimulationStuckError, match="nothing can happen any more"):
        run_virtual(program)


def test_a_run_that_never_ends_is_ended() -> None:
    async def program(_: VirtualClock) -> None:
        for _ in range(100):
            await asyncio.sleep(3_600)

    with pytest.raises(SimulationStuckError, match="not ended after 86400 s"):
        run_virtual(program)


@pytest.mark.slow
def test_a_clock_that_stands_still_is_noticed() -> None:
    async def program(clock: VirtualClock) -> None:
        def again(now_ns: int) -> None:
            clock.at(now_ns, again)

        clock.at(clock.now_ns, again)
        await asyncio.sleep(1)

    with pytest.raises(SimulationStuckError, match="the clock does not move"):
        run_virtual(program)


def test_timers_of_one_moment_run_in_the_order_of_their_making_to_the_nanosecond() -> None:
    order: list[str] = []

    async def program(clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        for name in ("first", "second", "third"):
            loop.call_later(0.1, order.append, name)
        loop.call_later(0.100_000_000_4, order.append, "less than half a nanosecond later")
        loop.call_later(0.100_000_001, lambda: order.append(str(clock.now_ns - START_NS)))
        await asyncio.sleep(1)

    run_virtual(program)

    assert order == ["first", "second", "third", "less than half a nanosecond later", "100000001"]


def test_a_timer_that_is_cancelled_at_its_own_moment_does_not_run() -> None:
    order: list[str] = []

    async def program(_: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []
        loop.call_later(0.1, lambda: [timer.cancel() for timer in timers])
        timers.append(loop.call_later(0.1, order.append, "never"))
        await asyncio.sleep(1)

    run_virtual(program)

    assert order == []


def test_cancelled_timers_are_thrown_away_once_they_are_most() -> None:
    async def program(clock: VirtualClock) -> int:
        loop = asyncio.get_running_loop()
        for _ in range(10_000):
            loop.call_later(60, print).cancel()
        return len(clock.underlay)

    assert run_virtual(program) < 2_000


def test_time_passes_only_as_far_as_others_say() -> None:
    asked: list[int | None] = []
    order: list[tuple[str, int]] = []

    async def program(clock: VirtualClock) -> None:
        def meet(next_ns: int | None) -> int:
            asked.append(next_ns)
            if len(asked) == 2:
                clock.at(START_NS + 15, lambda now_ns: order.append(("theirs", now_ns)))
            return START_NS + 10 * len(asked)

        clock.share(meet)
        for after_ns in (5, 10, 25):
            clock.at(START_NS + after_ns, lambda now_ns: order.append(("ours", now_ns)))
        await asyncio.sleep(28e-9)

    run_virtual(program)

    assert [(who, now_ns - START_NS) for who, now_ns in order] == [
        ("ours", 5),
        ("ours", 10),
        ("theirs", 15),
        ("ours", 25),
    ]
    # It was asked whenever what came next was beyond: at first, then for 10, then for 25.
    assert asked == [START_NS + 5, START_NS + 10, START_NS + 25]


def test_an_exception_in_a_callback_ends_the_run() -> None:
    def fail() -> None:
        raise ValueError("in a callback")

    async def program(_: VirtualClock) -> None:
        asyncio.get_running_loop().call_later(1, fail)
        await asyncio.sleep(10)

    with pytest.raises(ValueError, match="in a callback"):
        run_virtual(program)


def test_a_timeout_fires_at_its_virtual_deadline() -> None:
    async def program(clock: VirtualClock) -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await asyncio.sleep(100)
        return clock.now_ns

    assert run_virtual(program) == START_NS + 2_500_000_000


def test_the_loop_tells_virtual_time() -> None:
    loop = VirtualLoop(VirtualClock())

    assert loop.time() == START_NS / 1e9

    loop.close()
