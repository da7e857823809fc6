"""The network namespaces of a lab: one for each node and host, and one in the middle.

```
  alice ──veth──┐            ┌──veth── sn1     each has its address, and a route to the middle
                ├── middle ──┤                 relays of the links between EI sockets, and a TUN
    bob ──veth──┘            └──veth── sn2     device through which all else goes (`underlay.py`)
```
None of them has a name in the file system: each is an open file of the supervisor, and of the
processes in it. So the kernel removes them, and all devices in them, when the last of these is
gone, whatever ended it, and the network of the machine itself is never touched. Each has a device
whose name is the mark of the run, by which `census.py` finds who is still in one.
"""

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ei.errors import DeniedError
from ei.lab.census import mark_device

SUBNET = "198.18"
"""First two octets of all addresses: of the range for tests of networks (RFC 2544), as none is seen
outside."""
MIDDLE = f"{SUBNET}.255.254"
"""Where every other namespace sends what is not for itself."""
RELAYS = f"{SUBNET}.128.0/17"
"""All addresses that belong to the middle; see `layout.py`."""

UPLINK = "uplink"
"""The end of the veth pair that leads to the middle, in every other namespace."""
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND_PRIVATE_REC = (0x1000, 0x40000 | 0x4000)
"""MS_BIND, and MS_PRIVATE with MS_REC, from linux/mount.h."""
TUN = Path("/dev/net/tun")
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x0001 | 0x1000
OWN = "/proc/thread-self/ns/net"
OF_ROOT = "/usr/sbin:/sbin"
"""Programs of root, which are not in everybody's PATH."""
WITHOUT = "Without it: ei lab up --backend processes, ei lab run SCENARIO"


class Namespaces:
    """Makes all namespaces of a lab, joined.

    Args:
        run_id: Mark of the run.
        addresses: Name to IPv4 address, of each node and host.

    Raises:
        DeniedError: the system refuses, or lacks a program; says which.
    """

    def __init__(self, run_id: str, addresses: Mapping[str, str]) -> None:
        self._device = mark_device(run_id)
        self._files: dict[str, int] = {}
        self._middle = -1
        self.tun = -1
        """The TUN device of the middle: IP packets, one a read or write; does not block."""
        try:
            self._middle = make_namespace()
            for name in addresses:
                self._files[name] = make_namespace()
            with inside(self._middle):
                self._build_middle(addresses)
            for name, address in addresses.items():
                with inside(self._files[name]):
                    self._build_end(address)
        except OSError as error:
            self.close()
            raise DeniedError(f"network namespaces: {error.strerror}", remedy=WITHOUT) from error
        except BaseException:
            self.close()
            raise

    @property
    def middle(self) -> int:
        """Descriptor of the one that joins the others."""
        return self._middle

    @property
    def paths(self) -> dict[str, str]:
        """Name to a path for `inside`, good for as long as this process has it open."""
        return {name: f"/proc/{os.getpid()}/fd/{file}" for name, file in self._files.items()}

    def close(self) -> None:
        """Let go of all; those without processes are gone with that. Idempotent."""
        for file in (self.tun, self._middle, *self._files.values()):
            if file >= 0:
                os.close(file)
        self._files.clear()
        self.tun = self._middle = -1

    def _build_middle(self, addresses: Mapping[str, str]) -> None:
        for name, value in (
            ("ip_forward", "1"),
            # What comes from the TUN device has the addresses of others.
            ("conf/all/rp_filter", "0"),
            ("conf/default/rp_filter", "0"),
        ):
            _ = Path(f"/proc/sys/net/ipv4/{name}").write_text(value)
        self.tun = open_tun(self._device)
        lines = [
            "link set lo up",
            f"address add {MIDDLE}/32 dev lo",
            f"route add local {RELAYS} dev lo",
            f"link set {self._device} up",
            f"route add default dev {self._device} table 100",
            # What arrives at an address of ours is ours; all else once through the TUN device.
            "rule add iif lo lookup main pref 100",
            f"rule add iif {self._device} lookup main pref 101",
            "rule add lookup 100 pref 102",
        ]
        for number, (name, address) in enumerate(addresses.items()):
            end = f"peer name {UPLINK} netns /proc/self/fd/{self._files[name]}"
            lines += [
                f"link add v{number} type veth {end}",
                f"link set v{number} up",
                f"route add {address}/32 dev v{number} src {MIDDLE}",
            ]
        _run_ip(lines, list(self._files.values()))

    def _build_end(self, address: str) -> None:
        _run_ip(
            [
                # The uplink ends with the middle; what is marked must stay so.
                f"tuntap add dev {self._device} mode tun",
                "link set lo up",
                f"address add {address}/32 dev {UPLINK}",
                f"link set {UPLINK} up",
                f"route add default via {MIDDLE} dev {UPLINK} onlink",
            ]
        )


def make_namespace() -> int:
    """Return the descriptor of a new network namespace.

    Raises:
        OSError: the system refuses.
    """
    with _coming_back():
        _call("unshare", CLONE_NEWNET)
        return os.open(OWN, os.O_RDONLY)


@contextmanager
def inside(namespace: int | str) -> Generator[None]:
    """Have this thread in a network namespace, by its descriptor or path, while the context lasts.

    Sockets stay where they were opened, and a process or thread where it was started.

    Raises:
        OSError: the system refuses, or it is gone.
    """
    with _coming_back():
        enter(namespace)
        yield


def enter(namespace: int | str) -> None:
    """Put this thread into a network namespace, by its descriptor or path, for good.

    Raises:
        OSError: the system refuses, or it is gone.
    """
    if isinstance(namespace, int):
        _call("setns", namespace, CLONE_NEWNET)
        return
    file = os.open(namespace, os.O_RDONLY)
    try:
        _call("setns", file, CLONE_NEWNET)
    finally:
        os.close(file)


def know_names(hosts_file: Path) -> None:
    """Let this process, and those that it starts, see `hosts_file` as `/etc/hosts`.

    Raises:
        OSError: the system refuses.
    """
    bind, private = MS_BIND_PRIVATE_REC
    _call("unshare", CLONE_NEWNS)
    _call("mount", None, b"/", None, private, None)
    _call("mount", os.fsencode(hosts_file), b"/etc/hosts", None, bind, None)


def check_allowed(*, environ: Mapping[str, str], tun: Path = TUN, further: str = OF_ROOT) -> None:
    """See that this user may make namespaces, and can.

    Args:
        environ: Its PATH is where `ip` is looked for.
        tun: Where the system gives TUN devices.
        further: Where else `ip` is looked for.

    Raises:
        DeniedError: what is missing, and what works without it.
    """
    if shutil.which("ip", path=_path(environ, further)) is None:
        raise DeniedError(
            "netns needs the program ip, which is not here",
            remedy=f"Install it: apt-get install iproute2. {WITHOUT}",
        )
    refused: list[OSError] = []

    def probe() -> None:
        # In a thread, whose end is also the end of the namespace.
        try:
            _call("unshare", CLONE_NEWNET)
        except OSError as error:
            refused.append(error)

    thread = threading.Thread(target=probe)
    thread.start()
    thread.join()
    if refused:
        who = "root, here without CAP_SYS_ADMIN," if os.geteuid() == 0 else "this user"
        raise DeniedError(
            f"netns needs network namespaces, which {who} may not make",
            remedy=f"Run it as root. {WITHOUT}",
        )
    if not os.access(tun, os.R_OK | os.W_OK):
        raise DeniedError(
            f"netns needs {tun}, which is not there or not for this user",
            remedy=f"Load it: modprobe tun. {WITHOUT}",
        )


def open_tun(name: str) -> int:
    """Make a TUN device in the namespace of this thread; return its descriptor.

    Raises:
        OSError: the system refuses.
    """
    file = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    try:
        _ = fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    except BaseException:
        os.close(file)
        raise
    return file


@contextmanager
def _coming_back() -> Generator[None]:
    here = os.open(OWN, os.O_RDONLY)
    try:
        yield
    finally:
        with suppress(OSError):
            _call("setns", here, CLONE_NEWNET)
        os.close(here)


def _run_ip(lines: list[str], files: list[int] | None = None) -> None:
    done = subprocess.run(
        ["ip", "-batch", "-"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
        pass_fds=files or (),
        env={"PATH": _path(os.environ)},
    )
    if done.returncode != 0:
        said = done.stderr.strip().replace("\n", "; ")
        raise DeniedError(f"network namespaces: ip says {said!r}", remedy=WITHOUT)


def _path(environ: Mapping[str, str], further: str = OF_ROOT) -> str:
    return os.pathsep.join([environ.get("PATH", os.defpath), further])


def _call(function: str, *arguments: object) -> None:
    """Call a function of the C library that returns 0, or -1 and says why in errno."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
