"""What of a run is alive, and how to end it without hitting a stranger.

Every process of a run inherits the mark `EI_LAB_RUN=<run id>` in its environment, which survives
`fork` and re-parenting and which no other process carries. A process is ended through its pidfd,
checked after opening, so that a pid that was reused meanwhile is never hit.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

MARK = "EI_LAB_RUN"
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What is left of a run.

    Attributes:
        processes: Their ids and names.
        sockets, files: By endpoint or path.
        namespaces: Each by a process in it, which need not be one of the run.
    """

    processes: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        return {
            "processes": len(self.processes),
            "sockets": len(self.sockets),
            "files": len(self.files),
            "namespaces": len(self.namespaces),
        }

    @property
    def things(self) -> tuple[str, ...]:
        """All of them, for people."""
        return (*self.processes, *self.sockets, *self.files, *self.namespaces)

    @property
    def count(self) -> int:
        """All of them together."""
        return len(self.things)


def marked_processes(run_id: str) -> list[int]:
    """Return the pids of the living processes of a run, zombies not counted, in order."""
    mark = f"{MARK}={run_id}".encode()
    pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    return [pid for pid in sorted(pids) if pid != os.getpid() and _is_marked(pid, mark)]


def mark_device(run_id: str) -> str:
    """Return the name that one device in each network namespace of a run has."""
    return f"ei{run_id[:12]}"


def marked_namespaces(run_id: str) -> dict[str, int]:
    """Return the network namespaces of a run that have a process, with one process of each."""
    mark = f"{mark_device(run_id)}:"
    known: dict[str, int] = {}
    for entry in PROC.iterdir():
        with contextlib.suppress(OSError):
            if entry.name == str(os.getpid()) or not entry.name.isdigit():
                continue
            if (place := str((entry / "ns/net").readlink())) not in known:
                is_marked = mark in (entry / "net/dev").read_text()
                known[place] = int(entry.name) if is_marked else 0
    return {place: pid for place, pid in known.items() if pid}


def run_id_of(folder: Path) -> str | None:
    """Return the mark of the run whose supervisor was given `folder`; `None` when none lives."""
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or os.fsencode(folder) not in _words(entry / "cmdline"):
            continue
        for word in _words(entry / "environ"):
            name, _, run_id = word.partition(b"=")
            if name == MARK.encode():
                return os.fsdecode(run_id)
    return None


def end_processes(run_id: str, *, timeout_s: float) -> int:
    """Kill what is alive of a run, again and again until nothing is; return how many there were.

    Args:
        timeout_s: Then what is still there is left to the caller's census.
    """
    deadline_s = time.monotonic() + timeout_s
    ended: set[int] = set()
    while (pids := marked_processes(run_id)) and time.monotonic() < deadline_s:
        for pid in pids:
            ended.add(pid)
            _kill(pid, run_id)
        # A killed process leaves /proc only when its memory is gone.
        time.sleep(0.005)
    return len(ended)


def signal_process(pid: int, run_id: str, number: signal.Signals) -> bool:
    """Send a signal to a process of the run; return whether it was there."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not _is_marked(pid, f"{MARK}={run_id}".encode()):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def session_of(pid: int) -> int:
    """Return the session of a process; 0 when it is gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def command_of(pid: int) -> str:
    """Return the name of a process for people; empty when it is gone."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def leftovers(run_id: str | None, *, subnet: str | None, folder: Path) -> Leftovers:
    """Return all that is left of a run.

    Args:
        run_id: `None` when nothing tells it any more: then no process of the run lives.
        subnet: First two octets of its endpoints, such as `127.1`, where they are known.
        folder: Its run directory.
    """
    pids = [] if run_id is None else marked_processes(run_id)
    processes = tuple(f"{pid} {command_of(pid)}" for pid in pids)
    files = (str(folder), *map(str, folder.rglob("*"))) if folder.exists() else ()
    udp = [] if subnet is None else _udp_sockets(subnet)
    marked = {} if run_id is None else marked_namespaces(run_id)
    namespaces = tuple(f"{place} with {pid} {command_of(pid)}" for place, pid in marked.items())
    return Leftovers(processes, (*udp, *_unix_sockets(folder)), files, namespaces)


def _udp_sockets(subnet: str) -> list[str]:
    first, second = (int(octet) for octet in subnet.split("."))
    # Addresses are 32 bits in the machine's order: the first octet comes last in little-endian hex.
    tail = f"{second:02X}{first:02X}"
    lines = (PROC / "net" / "udp").read_text().splitlines()[1:]
    local = [line.split()[1] for line in lines]
    return [endpoint for endpoint in local if endpoint.partition(":")[0].endswith(tail)]


def _unix_sockets(folder: Path) -> list[str]:
    lines = (PROC / "net" / "unix").read_text().splitlines()[1:]
    paths = {fields[7] for line in lines if len(fields := line.split(maxsplit=7)) > 7}  # noqa: PLR2004
    return sorted(path for path in paths if path.startswith(f"{folder}/"))


def _kill(pid: int, run_id: str) -> None:
    with contextlib.suppress(PermissionError):
        _ = signal_process(pid, run_id, signal.SIGKILL)


def _is_marked(pid: int, mark: bytes) -> bool:
    return mark in _words(PROC / str(pid) / "environ")


def _words(path: Path) -> list[bytes]:
    """Return the words of an environment or a command line; none when its process is gone."""
    try:
        return path.read_bytes().split(b"\0")
    except OSError:
        return []
