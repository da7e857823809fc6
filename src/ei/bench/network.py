"""Where a benchmark's packets travel: three namespaces joined by veth, or loopback without root.

    generator ── node ── sink        10.77.1.1 ── 10.77.1.2 | 10.77.2.2 ── 10.77.2.3
                                                  10.77.1.4

Three link models, always to be named together, since V alone flatters:

V   trains of packets cross whole (virtual links; cards with hardware segmentation)
W   every packet arrives singly, the sending stack segments
G   as W, and the receiving kernel coalesces again (GRO)
L   loopback, where namespaces are not allowed: trains cross whole
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from ei.errors import LocalError

Model = Literal["V", "W", "G", "L"]

OFFLOADS = {"V": ("on", "off"), "W": ("off", "off"), "G": ("off", "on")}
"""Model to (segmentation by the sender's device, GRO at the receiver's)."""

TOOLS = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables", "ethtool": "ethtool"}
"""What makes namespaces, and the Debian packages that bring it."""

NODE_DEVICE = "n0"
"""Of the node, towards the generator."""

SINK_DEVICE = "s0"
SPARED_PORT = 7_003
"""Of the sink's host, where what others relay ends."""

HANDSHAKE_RESPONSE = 0x12
"""First byte of a datagram that reaches the sink however long it is: the sink has asked for it."""

HEARTBEAT_IP_BYTES = 128
"""Shorter IP packets reach the sink, so that its pipe stays up; the others end at its device, as
if handed to a network card."""


@dataclass(frozen=True, slots=True)
class Network:
    """Where the three processes of a benchmark run.

    Attributes:
        generator_bind, node_bind, sink_bind: Endpoints; port 0 takes any.
        generator, node, sink: Command prefixes that enter the right namespace.
        models: The link models that this network can take on.
        why_loopback: What is missing for namespaces; empty when they are used.
    """

    generator_bind: str
    node_bind: str
    sink_bind: str
    generator: tuple[str, ...]
    node: tuple[str, ...]
    sink: tuple[str, ...]
    models: tuple[Model, ...]
    why_loopback: str = ""

    def shape(self, model: Model) -> None:
        """Set the offloads of all devices for `model`."""
        if model == "L":
            return
        segmentation, gro = OFFLOADS[model]
        for prefix, device in (
            (self.generator, "c0"),
            (self.node, NODE_DEVICE),
            (self.node, "n1"),
            (self.sink, "s0"),
        ):
            features = ["tx-udp-segmentation", segmentation, "tso", segmentation, "gro", gro]
            run(*prefix, "ethtool", "-K", device, *features)

    def second(self) -> "Network":
        """Return the same with another address of the node, for one more that runs meanwhile."""
        return replace(self, node_bind="10.77.1.4:3535")

    def spare_others(self) -> None:
        """Take in at the sink what does not come from the node.

        The ends of tunnels must hear of each other; what these carry ends there, without a word.
        """
        _drop_long_packets(self.sink, source_port=int(self.node_bind.rpartition(":")[2]))
        nft = (*self.sink, "nft")
        run(*nft, "add table ip swallowed")
        run(*nft, "add chain ip swallowed input { type filter hook input priority 0; }")
        run(*nft, f"add rule ip swallowed input udp dport {SPARED_PORT} drop")


@contextmanager
def open_network() -> Generator[Network]:
    """Make the namespaces and remove them at the end; loopback when not allowed to."""
    why = why_no_namespaces()
    if why:
        yield loopback(why)
        return
    names = tuple(f"eibench{os.getpid()}{role}" for role in "cns")
    try:
        if not _add_namespaces(names):
            yield loopback("the system refuses to make namespaces")
            return
        _join(*names)
        client, node, sink = (("ip", "netns", "exec", name) for name in names)
        yield Network(
            generator_bind="10.77.1.1:0",
            node_bind="10.77.1.2:3535",
            sink_bind="10.77.2.3:0",
            generator=client,
            node=node,
            sink=sink,
            models=("V", "W", "G"),
        )
    finally:
        for name in names:
            _ = subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def why_no_namespaces() -> str:
    """Say what is missing to make namespaces; empty when nothing is known to be."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        packages = " ".join(dict.fromkeys(TOOLS[tool] for tool in missing))
        return f"without {', '.join(missing)}: sudo apt-get install {packages}"
    return "" if os.geteuid() == 0 else "namespaces need root"


def loopback(why: str = "") -> Network:
    """Return the network that needs no privilege; its node has a port that is free.

    Args:
        why: Why there are no namespaces, where they were wanted.
    """
    host = "127.77.1.2"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        port = int(probe.getsockname()[1])
    return Network(
        generator_bind="127.77.1.1:0",
        node_bind=f"{host}:{port}",
        sink_bind="127.77.2.3:0",
        generator=(),
        node=(),
        sink=(),
        models=("L",),
        why_loopback=why,
    )


def _add_namespaces(names: tuple[str, ...]) -> bool:
    """Add them; return whether it is allowed. In a container root may be refused."""
    try:
        for name in names:
            run("ip", "netns", "add", name)
    except LocalError:
        return False
    return True


def _join(client: str, node: str, sink: str) -> None:
    for name in (client, node, sink):
        run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "link", "add", "c0", "netns", client, "type", "veth", "peer", "n0", "netns", node)
    run("ip", "link", "add", "n1", "netns", node, "type", "veth", "peer", "s0", "netns", sink)
    for name, device, address in (
        (client, "c0", "10.77.1.1"),
        (node, "n0", "10.77.1.2"),
        (node, "n0", "10.77.1.4"),
        (node, "n1", "10.77.2.2"),
        (sink, "s0", "10.77.2.3"),
    ):
        run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", device)
        run("ip", "-n", name, "link", "set", device, "up")
    run("ip", "-n", sink, "route", "add", "10.77.1.0/24", "via", "10.77.2.2")
    _drop_long_packets(("ip", "netns", "exec", sink))


def _drop_long_packets(prefix: tuple[str, ...], *, source_port: int = 0) -> None:
    """Have long packets of UDP over IPv4 end at the sink's device: of one source port, or of any.

    By a classic BPF program, which the kernel compiles: it runs at the node's expense, where a
    rule of nft takes 80 ns more for each packet.
    """
    steps = long_udp_steps(source_port=source_port)
    program = ",".join([str(len(steps)), *(" ".join(map(str, step)) for step in steps)])
    tc = (*prefix, "tc")
    device = ("dev", SINK_DEVICE)
    run(*tc, "qdisc", "replace", *device, "clsact")
    run(*tc, "filter", "del", *device, "ingress")
    run(*tc, "filter", "add", *device, "ingress", "bpf", "bytecode", program, "direct-action")


def long_udp_steps(*, source_port: int = 0) -> list[tuple[int, int, int, int]]:
    """Return the program for `tc`: instruction, steps to skip if so, if not, operand."""
    load_byte, load_half, ip_bytes = 0x30, 0x28, 0xB1
    load_byte_behind_ip, load_half_behind_ip = 0x50, 0x48
    is_equal, is_at_least, give = 0x15, 0x35, 0x06
    accept, drop = 0, 2  # TC_ACT_OK, TC_ACT_SHOT
    # Instruction, operand, and with which outcome it leaves for `accept`.
    steps: list[tuple[int, int, bool | None]] = [
        (load_half, 12, None),
        (is_equal, 0x0800, False),
        (load_byte, 23, None),
        (is_equal, socket.IPPROTO_UDP, False),
        (load_half, 16, None),
        (is_at_least, HEARTBEAT_IP_BYTES, False),
        (ip_bytes, 14, None),
        (load_byte_behind_ip, 14 + 8, None),
        (is_equal, HANDSHAKE_RESPONSE, True),
    ]
    if source_port:
        steps += [(load_half_behind_ip, 14, None), (is_equal, source_port, False)]
    steps += [(give, drop, None), (give, accept, None)]
    last = len(steps) - 1
    return [
        (
            code,
            last - place - 1 if leaves is True else 0,
            last - place - 1 if leaves is False else 0,
            operand,
        )
        for place, (code, operand, leaves) in enumerate(steps)
    ]


def run(*command: str) -> None:
    """Run a network tool.

    Raises:
        LocalError: it failed; with what it said.
    """
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise LocalError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
