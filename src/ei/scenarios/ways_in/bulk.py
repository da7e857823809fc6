"""A bulk transfer by iperf3: by `ei run` and a gateway, without us, and by wireguard-go.

Counted are both ends of iperf3, and what carries between them: `ei run`, two nodes and the gateway,
or both ends of wireguard-go. The lab's relays, which stand for wires, are not, but they take of the
same cores.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from ei.errors import LocalError
from ei.lab.borrowed import find_program
from ei.lab.cpu_time import used_s
from ei.lab.promises import Promise, promise, unsupported
from ei.lab.wireguard import MODULE, version_of
from ei.lab.wireguard import PROGRAM as WIREGUARD
from ei.scenarios.ways_in.commands import run
from ei.scenarios.ways_in.ground import BULK_PORT, Ground
from ei.scenarios.ways_in.iperf3 import PROGRAM, Transfer, client, listening, transfer_of
from ei.scenarios.ways_in.wireguard import tunnelled

RATE_LIMIT = 50.0
CPU_LIMIT_S = 60.0
"""Two cores, also busy with other things, gave 210 to 460 Mbit/s for 15 to 12 s."""
RATE = "iperf3 by ei run and a gateway: rate"
COST = "iperf3 by ei run and a gateway: CPU of all processes for 10^9 bytes"


async def bulk(ground: Ground, gateway: int) -> AsyncIterator[Promise]:
    """Send as much as goes for some seconds.

    Args:
        gateway: Its process id.
    """
    if shutil.which(PROGRAM) is None:
        for name in (RATE, COST):
            yield unsupported(f"{name}; apt-get install {PROGRAM}", "==", limit=True)
        return
    async with listening(ground.bulk_port, environ=ground.environ) as server:
        began_s = used_s({server})
        _, printed = await ground.said(*client("127.0.0.1", ground.bulk_port))
        direct = transfer_of(printed, used_s({server}) - began_s)
        ours = await _by_us(ground, {server, gateway})
    for each in beside("", ours, direct):
        yield each
    program = find_program(WIREGUARD)
    if program is None:
        yield unsupported(f"{RATE}, beside {WIREGUARD}; make others", "==", limit=True)
        return
    through = await by_wireguard(ground)
    for each in beside(f", beside {WIREGUARD} {version_of(Path(program), MODULE)}", ours, through):
        yield each


def beside(words: str, ours: Transfer, other: Transfer) -> tuple[Promise, Promise]:
    """Promise of rate and cost beside those of another transfer."""
    rate, other_rate = round(ours.mbit_s), round(other.mbit_s)
    cost, other_cost = round(ours.cpu_s_per_gb, 2), round(other.cpu_s_per_gb, 2)
    return (
        promise(f"{RATE}{words}", rate, ">=", RATE_LIMIT, unit="Mbit/s", baseline=other_rate),
        promise(f"{COST}{words}", cost, "<=", CPU_LIMIT_S, unit="s", baseline=other_cost),
    )


async def by_wireguard(ground: Ground) -> Transfer:
    """Return what the same transfer comes to through a tunnel between two namespaces here."""
    async with tunnelled(ground.environ) as tunnel:
        here, there = tunnel.namespaces
        address = tunnel.addresses[1]
        serving = listening(BULK_PORT, address=address, environ=ground.environ, namespace=there)
        async with serving as server:
            took_part = {server, *tunnel.pids}
            began_s = used_s(took_part)
            words = ("nsenter", f"--net={here}", *client(address, BULK_PORT))
            _, printed = await ground.said(*words)
            return transfer_of(printed, used_s(took_part) - began_s)


async def _by_us(ground: Ground, others: set[int]) -> Transfer:
    took_part = {*others, *(await ground.lab.pids()).values()}
    began_s = used_s(took_part)
    _ = await run(ground, PROGRAM, "--version")
    start_s = used_s(took_part) - began_s
    began_s = used_s(took_part)
    done = await run(ground, *client("bob.isp-b.ei", BULK_PORT))
    if done.code != 0:
        raise LocalError(f"{PROGRAM} by ei run ended with {done.code}: {done.words[-400:]}")
    return transfer_of(done.printed, used_s(took_part) - began_s - start_s)
