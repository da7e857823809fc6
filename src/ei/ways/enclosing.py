"""The place of a program in `ei run`: a network namespace whose only way out is this process.

```
  ┌──────────────────── the namespace ───────────────────┐
  │ program ── TCP ──▶ nftables ──▶ listening sockets ───┼──▶ relays
  │         ── the rest ──▶ ei0 ══ ei1 ── packet socket ─┼──▶ names, datagrams, echoes
  └──────────────────────────────────────────────────────┘
```
The sockets are opened inside and used outside. A veth pair and a packet socket do what a TUN device
would, for which not every user has a device file. Nothing of it has a name in the file system, and
the network of the machine is not touched: all is gone with the last process inside.

As root it is a network and a mount namespace; as anybody else in a user namespace, in which the
program keeps its user and has no rights.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ei.errors import DeniedError
from ei.ways import linux
from ei.ways.stand_ins import OWN

INSIDE, OUTSIDE = "ei0", "ei1"
HARDWARE = bytes.fromhex("020000000001")
"""Of the device inside: what is sent there names it."""
MTU_BYTES = 65_535
RESOLVER = OWN + 65_000
"""Where the program finds its resolver: any address would do."""
EVERY_PROTOCOL = 3
"""ETH_P_ALL of linux/if_ether.h."""
MORE_PATH = "/usr/sbin:/sbin"
"""Programs of root, which are not in everybody's PATH."""
RESOLV_CONF = Path("/etc/resolv.conf")
NSSWITCH_CONF = Path("/etc/nsswitch.conf")
PING_GROUPS = Path("/proc/sys/net/ipv4/ping_group_range")
ORIGINAL = 80
"""SO_ORIGINAL_DST, for IPv4 and for IPv6."""


def enclose(
    address: str, *, environ: Mapping[str, str], further: str = MORE_PATH
) -> tuple[socket.socket, ...]:
    """Put this process into a place of its own; return (TCP over IPv4, over IPv6, packets).

    Args:
        address: Of this host on the service layer, as text: the program has it.
        environ: Its PATH is where `ip` and `nft` are looked for.
        further: Where else they are looked for.

    Raises:
        DeniedError: a program is missing, or the system refuses: which.
        OSError: the system refuses.
    """
    path = os.pathsep.join([environ.get("PATH", os.defpath), further])
    for program, package in (("ip", "iproute2"), ("nft", "nftables")):
        if shutil.which(program, path=path) is None:
            raise DeniedError(
                f"the program {program} is missing", remedy=f"Install it: apt-get install {package}"
            )
    _unshare()
    _run(["ip", "-batch", "-"], _devices(address), path=path)
    listening = [_listen(socket.AF_INET, "127.0.0.1"), _listen(socket.AF_INET6, "::1")]
    _run(["nft", "-f", "-"], _rules(*(each.getsockname()[1] for each in listening)), path=path)
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    packets.bind((OUTSIDE, EVERY_PROTOCOL))
    _replace(RESOLV_CONF, lambda _text: f"nameserver {RESOLVER}\n")
    if NSSWITCH_CONF.exists():
        _replace(NSSWITCH_CONF, plain_hosts)
    with suppress(OSError):  # only ping without rights needs it
        _ = PING_GROUPS.write_text(f"{os.getegid()} {os.getegid()}")
    linux.drop_ambient()
    return (*listening, packets)


def original_destination(connection: socket.socket) -> tuple[str, int]:
    """Return where a program inside wanted to go with a connection that was redirected.

    Raises:
        OSError: it was not redirected.
    """
    if connection.family == socket.AF_INET6:
        told = connection.getsockopt(socket.IPPROTO_IPV6, ORIGINAL, 28)
        return socket.inet_ntop(socket.AF_INET6, told[8:24]), int.from_bytes(told[2:4], "big")
    told = connection.getsockopt(socket.IPPROTO_IP, ORIGINAL, 16)
    return socket.inet_ntop(socket.AF_INET, told[4:8]), int.from_bytes(told[2:4], "big")


def plain_hosts(text: str) -> str:
    """Return nsswitch.conf with names from files and DNS alone: other ways lead out of here."""
    lines = text.splitlines()
    kept = [line for line in lines if line.partition(":")[0].strip() != "hosts"]
    return "\n".join([*kept, "hosts: files dns", ""])


def _unshare() -> None:
    user, group = os.geteuid(), os.getegid()
    try:
        linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWNS)
    except PermissionError:
        try:
            linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET | linux.CLONE_NEWNS)
            _ = Path("/proc/self/setgroups").write_text("deny")
            _ = Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            _ = Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        except OSError as error:
            raise DeniedError(f"this system gives no namespace to its users: {error.strerror}",
                remedy="Run it as root, or allow user namespaces.") from error  # fmt: skip
        linux.keep_ambient()
    linux.make_mounts_private()


def _devices(address: str) -> str:
    # One segment at most: a train of datagrams (UDP_SEGMENT) would come out in one piece.
    return f"""\
link set lo up
link add {INSIDE} type veth peer name {OUTSIDE}
link set {OUTSIDE} mtu {MTU_BYTES} arp off addrgenmode none
link set {INSIDE} mtu {MTU_BYTES} arp off addrgenmode none address {HARDWARE.hex(":")}
link set {INSIDE} gso_max_segs 1
link set {OUTSIDE} up
link set {INSIDE} up
address add {OWN}/32 dev {INSIDE}
address add {address}/128 dev {INSIDE} nodad
route add default dev {INSIDE} src {OWN}
route add ::/0 dev {INSIDE} src {address}
"""


def _rules(port_4: int, port_6: int) -> str:
    return f"""\
table inet ei {{
  chain out {{
    type nat hook output priority -100
    oifname {INSIDE} meta nfproto ipv4 meta l4proto tcp redirect to :{port_4}
    oifname {INSIDE} meta nfproto ipv6 meta l4proto tcp redirect to :{port_6}
  }}
}}
"""


def _run(command: list[str], text: str, *, path: str) -> None:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, env={"PATH": path}
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[:200]
        raise DeniedError(f"{command[0]} says {said!r}")


def _listen(family: int, address: str) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.bind((address, 0))
    listening.listen(socket.SOMAXCONN)
    return listening


def _replace(file: Path, change: Callable[[str], str]) -> None:
    """Let this process see a file changed; the change is in no folder."""
    text = change(file.read_text(errors="replace"))
    with tempfile.NamedTemporaryFile("w", prefix="ei-run-") as made:
        _ = made.write(text)
        made.flush()
        Path(made.name).chmod(0o644)
        linux.bind_mount(Path(made.name), file)
