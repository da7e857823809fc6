"""wireguard-go, told what `wg` would tell it (wireguard.com/xplatform).

It runs as it does everywhere, by a TUN device and sockets of UDP. What it puts into the file system
is seen by itself alone.
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from ei.errors import LocalError

PROGRAM = "wireguard-go"
MODULE = "golang.zx2c4.com/wireguard"
DEVICE = "wg0"
PORT = 51_820
MTU_BYTES = 1_420
"""As `wg-quick` sets it for a wire of 1,500."""
SOCKET = Path(f"/var/run/wireguard/{DEVICE}.sock")
ALONE = ("unshare", "--mount", "--", "sh", "-c", 'mount -t tmpfs none /var/run && exec "$@"', "sh")
"""It would leave its socket behind for all to see, if it was killed."""
ANSWER_BYTES = 64_000


@dataclass(frozen=True, slots=True)
class Peer:
    """One who is at the other end of a tunnel.

    Attributes:
        key: Its public key.
        address: Through the tunnel.
        wire: Where it is; empty for one that comes by itself.
        keepalive_s: It is reminded of this end so often; 0 for never.
    """

    key: X25519PublicKey
    address: str
    wire: str = ""
    keepalive_s: int = 0


def version_of(program: Path, module: str) -> str:
    """Return the version of a module, which Go writes into what it builds."""
    found = re.search(rb"\t%s\t(\S+)" % re.escape(module.encode()), program.read_bytes())
    return "of unknown version" if found is None else found[1].decode()


def settings(own: X25519PrivateKey, peers: Sequence[Peer]) -> str:
    """Return what one end is told of itself and of its peers."""
    lines = ["set=1", f"private_key={own.private_bytes_raw().hex()}", f"listen_port={PORT}"]
    for peer in peers:
        lines.append(f"public_key={peer.key.public_bytes_raw().hex()}")
        if peer.wire:
            lines.append(f"endpoint={peer.wire}:{PORT}")
        if peer.keepalive_s:
            lines.append(f"persistent_keepalive_interval={peer.keepalive_s}")
        lines.append(f"allowed_ip={peer.address}/32")
    return "\n".join([*lines, "", ""])


def seen_by(pid: int, file: Path) -> Path:
    """Return the path of a file that only a process sees, in its mounts."""
    # Symbolic links there lead to files here.
    return Path(f"/proc/{pid}/root") / file.resolve().relative_to("/")


def tell(pid: int, said: str) -> None:
    """Tell a running one its settings.

    Raises:
        LocalError: It refuses them; with its answer.
    """
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(seen_by(pid, SOCKET)))
        link.sendall(said.encode())
        answer = link.recv(ANSWER_BYTES)
    if answer != b"errno=0\n\n":
        raise LocalError(f"{PROGRAM} answers {answer!r}")
