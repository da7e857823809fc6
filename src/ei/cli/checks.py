"""What `ei doctor` looks at: one function per check, each quick, none changing anything."""

import ctypes
import os
import platform
import resource
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Status = Literal["ok", "note", "failed"]

UDP_SEGMENT = 103
UDP_GRO = 104
"""Options of udp(7); the socket module does not name them."""
PORT = 3535
ENOUGH_DISK_BYTES = 200 * 1024 * 1024
ENOUGH_FILES = 1_024
CPU_FEATURES = ("aes", "vaes", "pclmulqdq", "vpclmulqdq", "avx2", "avx512f", "pmull", "sve")
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_VERSION_FLAG = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        status: `ok`; `note`: something is off or missing, and what still works is said; `failed`:
            nothing works until it is put right.
        said: What was seen.
        remedy: What to do; empty when there is nothing to do.
    """

    status: Status
    said: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One check, and what it is good for: the text of `docs/reference/doctor.md`."""

    name: str
    why: str
    look: Callable[[], Finding]


def native() -> Finding:
    """Look at the interpreter and the native module."""
    seen = f"Python {platform.python_version()}"
    try:
        from ei import _core
    except ImportError as error:
        return Finding("failed", f"{seen}, native datapath: {error}", "run: make build")
    features = ", ".join(_cpu_features()) or "no AES instructions"
    return Finding("ok", f"{seen}, native datapath for wire {_core.WIRE_VERSION} ({features})")


def trains() -> Finding:
    """Look whether the kernel takes and gives trains of datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        missing = [
            name
            for name, option, value in (("GSO", UDP_SEGMENT, 1_200), ("GRO", UDP_GRO, 1))
            if not _takes(probe, option, value)
        ]
    if missing:
        said = f"UDP {' and '.join(missing)} not available: packets go one by one, and slower"
        return Finding("note", said, "run Linux 5.0 or newer")
    return Finding("ok", "UDP GSO and GRO: packets travel in trains")


def loopback() -> Finding:
    """Send one datagram between two addresses of 127/8, as a lab does."""
    try:
        with _bound("127.77.0.1") as one, _bound("127.77.128.1") as other:
            _ = one.sendto(b"ei doctor", other.getsockname())
            other.settimeout(1.0)
            _ = other.recv(64)
    except OSError as error:
        said = f"no lab of processes: a datagram over 127/8 failed ({error})"
        return Finding(
            "failed", said, "allow loopback traffic: ip link set lo up, and the firewall"
        )
    return Finding("ok", "labs of real processes over 127/8")


def ipv6() -> Finding:
    """Look whether IPv6 works on this machine."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        return Finding("note", f"no IPv6 here ({error.strerror}): nodes bind to IPv4 only")
    return Finding("ok", "IPv4 and IPv6 underlay")


def port() -> Finding:
    """Look whether a node could have its default port."""
    try:
        with _bound("0.0.0.0", PORT):  # noqa: S104 what a node of an operator does
            return Finding("ok", f"UDP port {PORT} is free")
    except OSError as error:
        said = f"UDP port {PORT} is not free ({error.strerror}); labs on 127/8 do not need it"
        return Finding("note", said, f"ss -lunp 'sport = {PORT}' shows who has it")


def isolation() -> Finding:
    """Look which layers can hold a service module in, if it turns against its node."""
    landlock = int(
        ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION_FLAG)
    )
    layers = {
        "process": True,
        "seccomp": Path("/proc/sys/kernel/seccomp/actions_avail").exists(),
        f"landlock({max(landlock, 0)})": landlock > 0,
        "user namespaces": _number_in("/proc/sys/user/max_user_namespaces") > 0,
    }
    there = ", ".join(layer for layer, is_there in layers.items() if is_there)
    missing = ", ".join(layer for layer, is_there in layers.items() if not is_there)
    if missing:
        return Finding("note", f"isolation layers: {there}; missing: {missing}")
    return Finding("ok", f"isolation layers: {there}")


def namespaces() -> Finding:
    """Look whether network namespaces can be made, for benchmarks between machines of their own."""
    from ei.bench.network import why_no_namespaces

    cause, _, remedy = why_no_namespaces().partition(": ")
    if cause:
        said = f"ei bench runs over loopback, not in network namespaces ({cause})"
        return Finding("note", said, remedy)
    return Finding("ok", "network namespaces: benchmarks with all link models")


def enclosure() -> Finding:
    """Put a child into a namespace as `ei run` does, and let go of it."""
    from ei.errors import DeniedError
    from ei.ways.enclosing import enclose
    from ei.ways.launching import launch

    try:
        child = launch(["true"], lambda: enclose("fd35::1", environ=os.environ))
    except DeniedError as error:
        said = f"ei run tells programs of a proxy, and encloses none ({error})"
        return Finding("note", said, error.remedy)
    child.close()
    _ = child.wait()
    return Finding("ok", "ei run: programs in network namespaces of their own")


def disk() -> Finding:
    """Write, sync and remove a small file where state is kept."""
    folder = state_home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            _ = file.write(b"ei doctor")
            file.flush()
            os.fsync(file.fileno())
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        said = f"state cannot be kept in {folder} ({error.strerror})"
        return Finding("failed", said, "make it writable, or name another: XDG_STATE_HOME=...")
    said = f"state is kept in {folder}, {free_bytes // 1024**2} MiB free"
    if free_bytes < ENOUGH_DISK_BYTES:
        return Finding("note", said, "free some space: a full disk stops stable writes")
    return Finding("ok", said)


def files() -> Finding:
    """Look how many files and sockets one process may have open."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < ENOUGH_FILES:
        said = f"{limit} open files per process: too few for a large lab"
        return Finding("note", said, f"raise it: ulimit -n {min(most, 65_536)}")
    return Finding("ok", f"{limit} open files per process")


CHECKS = (
    Check("native", "Everything: without the native module there is no datapath.", native),
    Check("trains", "Speed: a hop costs a fraction when packets travel in trains.", trains),
    Check("loopback", "`ei lab up` and `ei demo`: real processes talk over 127/8.", loopback),
    Check("ipv6", "Nodes and hosts on an IPv6 underlay.", ipv6),
    Check("port", "`ei node run` with its default port.", port),
    Check("isolation", "Untrusted service modules: what holds one in that breaks out.", isolation),
    Check("namespaces", "`ei bench` with all link models; labs with foreign programs.", namespaces),
    Check("enclosure", "`ei run` for programs that know no proxy.", enclosure),
    Check("disk", "Stable stores, labs and reports.", disk),
    Check("files", "Labs and nodes with many peers.", files),
)
"""All checks, in the order in which they are shown."""


def state_home() -> Path:
    """Return where labs and reports are kept: `$XDG_STATE_HOME/ei`."""
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "ei"


def _cpu_features() -> list[str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return [feature for feature in CPU_FEATURES if feature in value.split()]
    return []


def _takes(probe: socket.socket, option: int, value: int) -> bool:
    try:
        probe.setsockopt(socket.SOL_UDP, option, value)
    except OSError:
        return False
    return True


def _bound(host: str, port: int = 0) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _number_in(path: str) -> int:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return 0
