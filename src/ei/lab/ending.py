"""Ends a lab, whatever was killed or damaged: asks, kills what is left, removes its files."""

import time
from dataclasses import dataclass

from ei.daemons.client import ask
from ei.errors import EiError
from ei.lab.census import Leftovers, end_processes, leftovers, marked_processes, run_id_of
from ei.lab.run_folder import LabFile, RunFolder

DOWN_LIMIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What `down` did.

    Attributes:
        was_running: Whether there was anything.
        killed: Processes that had to be killed.
        left: What is left: nothing.
    """

    was_running: bool
    killed: int
    left: Leftovers


def end_lab(folder: RunFolder) -> Ended:
    """End all processes of a lab, then remove its folder.

    Raises:
        ConflictError: the folder is not that of a lab.
    """
    if not folder.path.exists():
        return Ended(was_running=False, killed=0, left=Leftovers())
    lab = _content(folder)
    # Where `lab.json` cannot be read, the processes themselves know whose they are.
    run_id = run_id_of(folder.path) if lab is None else lab.run_id
    deadline_s = time.monotonic() + (DOWN_LIMIT_S if _is_going_down(folder) else 0.0)
    killed = 0
    if run_id is not None:
        while marked_processes(run_id) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        killed = end_processes(run_id, timeout_s=DOWN_LIMIT_S)
    folder.remove()
    # What has a namespace of its own has left no endpoint in ours.
    subnet = None if lab is None or lab.backend == "netns" else lab.subnet
    left = leftovers(run_id, subnet=subnet, folder=folder.path)
    return Ended(was_running=run_id is not None, killed=killed, left=left)


def _content(folder: RunFolder) -> LabFile | None:
    try:
        return folder.read()
    except EiError:
        return None


def _is_going_down(folder: RunFolder) -> bool:
    """Ask the supervisor to end everything; return whether it does."""
    try:
        _ = ask(folder.socket, "down", deadline_s=1.0)
    except EiError:
        # Nobody is there to do it gently.
        return False
    return True
