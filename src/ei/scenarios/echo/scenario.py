"""Echo: every packet comes back; all but the first without the service's code."""

from collections.abc import AsyncIterator

from ei.errors import DeadlineError
from ei.host.channels import ServiceChannel
from ei.lab.lab import Lab
from ei.lab.load import fastest_ms, node_in_use, until
from ei.lab.promises import Promise, promise

ECHO = 17
ASKS = 200
WORKER_LIMIT_S = 2.0


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Ask, count who answered, kill the worker."""
    alice = lab.host("alice")
    node = node_in_use(alice)
    with alice.call(ECHO) as flow:
        round_trips = [await ask(lab, flow, number) for number in range(ASKS)]
        answered = sum(taken_s is not None for taken_s in round_trips)
        yield promise("every ask is answered", answered, "==", ASKS, unit="asks")

        link = lab.topology.impairment(alice.name, node)
        there_and_back_ms = 2 * link.delay_ms
        yield promise(
            "the fastest answer takes little longer than the link",
            fastest_ms(round_trips),
            "<=",
            there_and_back_ms + 5.0,
            unit="ms",
            baseline=there_and_back_ms,
        )

        missed = await misses(lab, node)
        yield promise(
            "the service's code runs for the first ask alone",
            missed,
            "<=",
            2,
            unit="misses",
            baseline=ASKS,
        )

        await lab.kill_worker(node, "echo")
        still = [await ask(lab, flow, number) for number in range(ASKS)]
        lost = sum(taken_s is None for taken_s in still)
        yield promise("a decided flow survives its worker", lost, "==", 0, unit="lost asks")

    async def is_back() -> bool:
        with alice.call(ECHO) as fresh:
            return await ask(lab, fresh, 0, deadline_s=0.1) is not None

    back_s = await until(lab, is_back, limit_s=WORKER_LIMIT_S)
    yield promise("the worker is back", back_s, "<=", WORKER_LIMIT_S, unit="s")


async def ask(
    lab: Lab, channel: ServiceChannel, number: int, *, deadline_s: float = 1.0
) -> float | None:
    """Ask once; return the round trip, `None` without an answer."""
    started_s = lab.now_s()
    try:
        answer = await channel.ask(number.to_bytes(4, "little"), deadline_s=deadline_s)
    except DeadlineError:
        return None
    return lab.now_s() - started_s if answer.payload == number.to_bytes(4, "little") else None


async def misses(lab: Lab, node: str) -> int:
    """Return how many packets echo decided at a node."""
    status = await lab.node_status(node)
    return next(service.missed for service in status.services if service.name == "echo")
