"""wireguard-go beside us: two namespaces joined by a wire, and a tunnel by it between them.

```
  iperf3 ── wg0 ── wireguard-go ── wire ══ wire ── wireguard-go ── wg0 ── iperf3
```
The namespaces are open files alone.
"""

import asyncio
import os
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
from ei.lab.wireguard import ALONE, DEVICE, MTU_BYTES, PROGRAM, SOCKET, Peer, settings, tell

WIRES = ("10.77.0.1", "10.77.0.2")
ADDRESSES = ("10.78.0.1", "10.78.0.2")


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


@asynccontextmanager
async def tunnelled(environ: Mapping[str, str]) -> AsyncGenerator[Tunnel]:
    """Have two ends that reach each other, while the context lasts.

    Raises:
        LocalError: the system or the program refuses; with what was said.
    """
    program = find_program(PROGRAM) or PROGRAM
    keys = [X25519PrivateKey.generate() for _ in WIRES]
    async with AsyncExitStack() as stack:
        namespaces = stack.enter_context(joined())
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
            peer = Peer(keys[other].public_key(), ADDRESSES[other], WIRES[other])
            await asyncio.to_thread(tell, pid, settings(keys[own], [peer]))
            lines = (
                f"address add {ADDRESSES[own]}/24 dev {DEVICE}",
                f"link set {DEVICE} mtu {MTU_BYTES} up",
            )
            _run_ip(namespaces[own], *lines)
            pids.append(pid)
        yield Tunnel(namespaces, ADDRESSES, tuple(pids))


@contextmanager
def joined() -> Generator[tuple[str, ...]]:
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
