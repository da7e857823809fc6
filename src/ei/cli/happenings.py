"""What the events of a module cost and came to, in words: of `ei dev` and `ei invoke`."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.problems import (
    CPU_EXCEEDED,
    DIED,
    LIMIT,
    LOADING,
    NO_ANSWER,
    PEER,
    RAISED,
    Kind,
    Problem,
)
from ei.cli.quantities import duration

if TYPE_CHECKING:
    from ei.node.watching import Died, Limits
    from ei.runtime.faults import Fault
    from ei.runtime.watching import Handled

MIB = 1024 * 1024
KINDS: Mapping[str, Kind] = {
    "service_error": RAISED,
    "cpu_exceeded": CPU_EXCEEDED,
    "no_answer": NO_ANSWER,
    "store_failed": LIMIT,
    "bad_control": PEER,
}
"""By the word of a fault."""

HANDLERS = {
    "PacketArrived": "on_packet",
    "ControlArrived": "on_control",
    "TimerFired": "on_timer",
    "PeerChanged": "on_peer",
    "Resolved": "on_resolved",
    "TallyRead": "on_tally",
    "NotKept": "on_not_kept",
    "StreamOpened": "on_stream",
    "StreamData": "on_stream",
    "StreamWritable": "on_stream",
    "StreamClosed": "on_stream",
    "Started": "on_start",
}
"""By the kind of an event."""


def cost_of(handled: "Handled", limits: "Limits") -> str:
    """Return what one event cost, of several the mean, and what was asked for, against limits."""
    events = max(1, len(handled.events))
    return (
        f"cpu {duration(handled.cpu_ns / events / 1e9)} of {limits.cpu_ms} ms"
        f"   effects {handled.effects} of {limits.effects}"
        f"   memory {handled.memory_bytes / MIB:.1f} of {limits.memory_bytes / MIB:.0f} MiB"
    )


def kinds_of(events: tuple[str, ...]) -> str:
    """Return kinds of events, each once, with how often."""
    counts = {kind: events.count(kind) for kind in events}
    return ", ".join(f"{kind} x{n}" if n > 1 else kind for kind, n in counts.items())


def fault_problem(fault: "Fault", limits: "Limits", folder: Path) -> Problem:
    """Return what an event that came to nothing means for who writes the module."""
    kind = KINDS.get(fault.word, RAISED)
    place = fault.place or handler_place(folder, fault.event)
    cause = fault.cause
    if fault.word == "cpu_exceeded":
        cause = f"more than the {limits.cpu_ms} ms of CPU time that an event has"
    return Problem(kind, f"{place}: {fault.event}: {cause}", kind.action)


def death_problem(died: "Died", limits: "Limits", folder: Path, *, has_started: bool) -> Problem:
    """Return what the end of a worker means for who writes the module.

    Args:
        died: What is known of it.
        limits: Of the module.
        folder: Of the module.
        has_started: Whether it had handled anything before.
    """
    if died.cause.startswith(str(folder)):  # it says where
        return Problem(LOADING, shortened(died.cause, folder), LOADING.action)
    kind, cause = DIED, died.cause or "its process ended without a word"
    if cause.startswith("SIGXCPU"):
        kind = CPU_EXCEEDED
        cause = f"one call took more than the {limits.cpu_ms} ms of CPU time that an event has"
        if not has_started:
            cause = f"more than the {limits.start_ms} ms of CPU time that a start has"
    doing = kinds_of(died.over) if died.over else "between events" if has_started else "loading"
    place = handler_place(folder, died.over[0] if died.over else "")
    return Problem(kind, f"{place}: {doing}: {cause}", kind.action)


def shortened(text: str, folder: Path) -> str:
    """Return a text in which files of the folder are named without it."""
    return text.replace(f"{folder}/", "")


def handler_place(folder: Path, event: str) -> str:
    """Return where the handler of an event begins: `service.py:31`.

    Else the first line of that file, or the name of one that has no lines.
    """
    wanted = HANDLERS.get(event, "")
    try:
        tree = ast.parse((folder / "service.py").read_bytes())
    except FileNotFoundError:
        return "module.wasm"
    except (OSError, ValueError, SyntaxError):
        return "service.py:1"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == wanted:
            return f"service.py:{node.lineno}"
    return "service.py:1"
