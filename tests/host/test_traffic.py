"""Loads are sent at their rate; collectors count until they are stopped."""

import asyncio

import pytest

from ei.errors import ConflictError, LocalError, NotFoundError
from ei.host.inbox import Inbox
from ei.host.numbered import encode_numbered
from ei.host.traffic import Collectors, Sent, send_numbered
from ei.lab.clock import run_virtual


def test_a_load_without_a_rate_goes_as_fast_as_the_pipe_takes_it() -> None:
    taken: list[int] = []

    def send(payloads: list[bytes]) -> int:
        taken.append(len(payloads))
        return len(payloads) - 1

    sent = run_virtual(
        lambda clock: send_numbered(
            send,
            first=0,
            count=130,
            rate_pps=0,
            length_bytes=16,
            now_ns=lambda: clock.now_ns,
        )
    )

    assert taken == [64, 64, 2]
    assert sent == Sent(127, 3, 0.0)


def test_a_load_with_a_rate_takes_its_time() -> None:
    payloads_sent: list[bytes] = []

    def send(payloads: list[bytes]) -> int:
        payloads_sent.extend(payloads)
        return len(payloads)

    sent = run_virtual(
        lambda clock: send_numbered(
            send,
            first=5,
            count=10,
            rate_pps=1_000,
            length_bytes=16,
            now_ns=lambda: clock.now_ns,
        )
    )

    assert sent.sent == 10
    assert 0.009 <= sent.elapsed_s <= 0.011
    assert [payload[0] for payload in payloads_sent] == list(range(5, 15))


def test_a_collector_counts_until_it_is_stopped() -> None:
    async def main() -> None:
        inbox = Inbox[bytes]("payload")
        closed: list[bool] = []
        async with asyncio.TaskGroup() as group:
            collectors = Collectors(group, lambda: 0)
            collectors.start(
                "news", lambda: inbox.get(deadline_s=0.01), lambda: closed.append(True)
            )
            _ = inbox.put(encode_numbered(0, 0, 16))
            # Longer than one wait of the collector: silence does not end it.
            await asyncio.sleep(0.03)
            _ = inbox.put(encode_numbered(1, 0, 16))
            await asyncio.sleep(0.03)
            assert collectors.stop("news").distinct == 2
            with pytest.raises(NotFoundError, match="no collector 'news'; there are: none"):
                _ = collectors.read("news")
        assert closed == [True]

    run_virtual(lambda _: main())


def test_a_second_collector_of_the_same_name_is_refused() -> None:
    async def main() -> None:
        inbox = Inbox[bytes]("payload")
        closed: list[int] = []
        async with asyncio.TaskGroup() as group:
            collectors = Collectors(group, lambda: 0)
            collectors.start("a", lambda: inbox.get(deadline_s=9), lambda: closed.append(1))
            with pytest.raises(ConflictError, match="'a' runs already"):
                collectors.start("a", lambda: inbox.get(deadline_s=9), lambda: closed.append(2))
            assert closed == [2]
            inbox.close(LocalError("closed"))
        assert closed == [2, 1]

    run_virtual(lambda _: main())
