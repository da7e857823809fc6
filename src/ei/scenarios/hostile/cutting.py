"""How much CPU time an event gets that never ends, whichever way it goes about it."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise
from ei.scenarios.hostile.ground import MALLORY, MANIFESTS, tell, until_running, worker_of

SERVICE = "looping"
WAYS = (b"loop", b"expression", b"hold on", b"one call", b"number")
"""Those that end the worker come last: it is not to die five times in a row."""

BUDGET_MS = float(MANIFESTS[SERVICE].handler_ms)
LIMIT_MS = max(2 * BUDGET_MS, BUDGET_MS + 10)
LEAST_MS = 1.0
STILL_S = 0.2
PATIENCE_S = 5.0
LOOK_S = 0.001


async def cut(lab: ProcessLab) -> AsyncIterator[Promise]:
    """Measure each way once."""
    spent = {way: await spent_ms(lab, way) for way in WAYS}
    longest = max(spent.values())
    said = ", ".join(f"{way.decode()} {ms:.0f}" for way, ms in spent.items())
    yield promise(
        f"CPU time of an event that never ends, at most, of {len(WAYS)} ways ({said})",
        round(longest, 1),
        "<=",
        LIMIT_MS,
        unit="ms",
        baseline=BUDGET_MS,
        is_valid=min(spent.values()) >= BUDGET_MS / 2,
    )


async def spent_ms(lab: ProcessLab, way: bytes) -> float:
    """Let one event never end; return the CPU time that its worker used until it rested or died."""
    _ = await until_running(lab, [SERVICE])
    pid = (await worker_of(lab, SERVICE)).pid
    began_s = last_s = cpu_s(pid) or 0.0
    ends_s = lab.now_s() + PATIENCE_S
    moved_s = lab.now_s()
    tell(lab.host(MALLORY), SERVICE, way)
    while lab.now_s() < ends_s:
        await lab.sleep(LOOK_S)
        now_s = cpu_s(pid)
        if now_s is None:
            break
        if now_s > last_s:
            last_s, moved_s = now_s, lab.now_s()
        elif last_s - began_s > LEAST_MS / 1e3 and lab.now_s() - moved_s > STILL_S:
            break
    return (last_s - began_s) * 1e3


def cpu_s(pid: int) -> float | None:
    """Return the CPU time of a process; `None` when it is gone."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    return None
