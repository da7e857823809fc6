"""wireguard-go beside us: two namespaces joined by a wire, and a tunnel by it between them.

```
  iperf3 ── wg0 ── wireguard-go ── wire ══ wire ── wireguard-go ── wg0 ── iperf3
```
It runs as it does everywhere, by a TUN device and sockets of UDP. The namespaces are open files
alone, and what it puts into the file system is seen by itself alone.
"""

import asyncio
import os
import re
import socket
import subprocess
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ei.errors import LocalError
from ei.lab.borrowed import find_program
from ei.lab.foreign import running
from ei.lab.namespaces import inside, make_namespace

PROGRAM = "wireguard-go"
DEVICE = "wg0"
PORT = 51_820
MTU_BYTES = 1_420
"""As `wg-quick` sets it for a wire of 1,500."""
SOCKET = Path(f"/var/run/wireguard/{DEVICE}.sock")
ALONE = ("unshare", "--mount", "--", "sh", "-c", 'mount -t tmpfs none /var/run && exec "$@"', "sh")
"""It would leave its socket behind for all to see, if it was killed."""
WIRES = ("10.77.0.1", "10.77.0.2")
ADDRESSES = ("10.78.0.1", "10.78.0.2")
MODULE = re.compile(rb"\tgolang\.zx2c4\.com/wireguard\t(\S+)")


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Two ends of WireGuard.

    Attributes:
        namespaces: Paths, of either end.
        addresses: Through the tunnel, of either end.
        pids: Of the two processes.
    """

    namespaces: tuple[str, ...]
    addresses: tuple[str, ...]
    pids: tuple[int, ...]


def version_of(program: Path) -> str:
    """Return the version of its module, which Go writes into what it builds."""
    found = MODULE.search(program.read_bytes())
    return "of unknown version" if found is None else found[1].decode()


@asynccontextmanager
async def tunnelled(environ: Mapping[str, str]) -> AsyncGenerator[Tunnel]:
    """Have two ends that reach each other, while the context lasts.

    Raises:
        LocalError: the system or the program refuses; with what was said.
    """
    program = find_program(PROGRAM) or PROGRAM
    keys = [X25519PrivateKey.generate() for _ in WIRES]
    async with AsyncExitStack() as stack:
        namespaces = stack.enter_context(_joined())
        pids: list[int] = []
        for own, other in ((0, 1), (1, 0)):
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="ei-wireguard-")))
            started = running(
                *(*ALONE, program, "-f", DEVICE),
                at=SOCKET,
                folder=folder,
                environ=environ,
                namespace=namespaces[own],
            )
            pid = await stack.enter_async_context(started)
            said = settings(keys[own], keys[other], wire=WIRES[other], address=ADDRESSES[other])
            await asyncio.to_thread(_set, seen_by(pid, SOCKET), said)
            lines = (
                f"address add {ADDRESSES[own]}/24 dev {DEVICE}",
                f"link set {DEVICE} mtu {MTU_BYTES} up",
            )
            _run_ip(namespaces[own], *lines)
            pids.append(pid)
        yield Tunnel(namespaces, ADDRESSES, tuple(pids))


def settings(own: X25519PrivateKey, other: X25519PrivateKey, *, wire: str, address: str) -> str:
    """Return what one end is told of itself and of the other (wireguard.com/xplatform).

    Args:
        wire: Where the other end is.
        address: Of the other end, through the tunnel.
    """
    return (
        f"set=1\nprivate_key={own.private_bytes_raw().hex()}\nlisten_port={PORT}\n"
        f"public_key={other.public_key().public_bytes_raw().hex()}\n"
        f"endpoint={wire}:{PORT}\nallowed_ip={address}/32\n\n"
    )


def seen_by(pid: int, file: Path) -> Path:
    """Return the path of a file that only a process sees, in its mounts."""
    # Symbolic links there lead to files here.
    return Path(f"/proc/{pid}/root") / file.resolve().relative_to("/")


def _set(path: Path, said: str) -> None:
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(path))
        link.sendall(said.encode())
        answer = link.recv(1_000)
    if answer != b"errno=0\n\n":
        raise LocalError(f"{PROGRAM} answers {answer!r}")


@contextmanager
def _joined() -> Generator[tuple[str, ...]]:
    """Have two namespaces joined by a wire; yield their paths."""
    files: list[int] = []
    try:
        files.extend(make_namespace() for _ in WIRES)
        paths = tuple(f"/proc/{os.getpid()}/fd/{file}" for file in files)
        _run_ip(paths[0], f"link add wire type veth peer name wire netns {paths[1]}")
        for path, address in zip(paths, WIRES, strict=True):
            _run_ip(
                path, f"address add {address}/24 dev wire", "link set wire up", "link set lo up"
            )
        yield paths
    finally:
        for file in files:
            os.close(file)


def _run_ip(namespace: str, *lines: str) -> None:
    with inside(namespace):
        done = subprocess.run(
            ("ip", "-batch", "-"),
            input="\n".join(lines),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise LocalError(f"ip says {' '.join(done.stderr.split())[:200]!r}")
