"""Relays of others, each with both its ends, in the three namespaces of a benchmark.

generator ── end ══ relay ══ end          a TUN device at each end, and at WireGuard's relay
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ei.bench.children import Child
from ei.bench.network import Network, run
from ei.bench.world import LOAD_CPU, NODE_CPU
from ei.errors import DeadlineError, LocalError
from ei.lab import wireguard
from ei.lab.borrowed import find_program
from ei.lab.wireguard import ALONE, DEVICE, MTU_BYTES, Peer, seen_by, settings, tell, version_of

WIRES = ("10.77.1.1", "10.77.1.2", "10.77.2.3")
"""Of the generator, of the relay as the generator sees it, and of the sink."""

START_LIMIT_S = 15.0
KNOCK = """\
import errno, socket, sys
with socket.socket() as knocking:
    knocking.settimeout(1.0)
    sys.exit(knocking.connect_ex((sys.argv[1], 9)) != errno.ECONNREFUSED)
"""
KEEPALIVE_S = 1
NEBULA_PORT = 4_242
NEBULA_DEVICE = "neb0"
NEBULA_MTU_BYTES = 1_400
NEBULA_MODULE = "github.com/slackhq/nebula"
NEBULA_CONFIG = """\
pki: {{ca: {folder}/ca.crt, cert: {folder}/{name}.crt, key: {folder}/{name}.key}}
static_host_map: {known}
lighthouse:
  am_lighthouse: {is_relay}
  interval: 1
  hosts: {others}
  # Else it would find the way through a tunnel of somebody else.
  local_allow_list: {{"0.0.0.0/0": false}}
listen: {{host: 0.0.0.0, port: {port}}}
relay: {{am_relay: {is_relay}, use_relays: true, relays: {others}}}
punchy: {{punch: false}}
tun: {{dev: {device}, mtu: {mtu}}}
logging: {{level: warning}}
firewall:
  outbound: [{{port: any, proto: any, host: any}}]
  inbound: [{{port: any, proto: any, host: any}}]
"""


@dataclass(frozen=True, slots=True)
class Relayed:
    """A relay of others that runs.

    Attributes:
        version: With the name of the program.
        pid: The relay's process.
        ends: Addresses through the tunnel, of generator and sink.
        added_bytes: What a datagram on the wire is longer than the payload of UDP in the tunnel.
    """

    version: str
    pid: int
    ends: tuple[str, str]
    added_bytes: int


@contextmanager
def running_wireguard(network: Network, folder: Path) -> Generator[Relayed]:
    """Run wireguard-go as generator, relay and sink, until the block ends.

    Raises:
        LocalError: It is not here, or does not come up; with what it said last.
    """
    program = found(wireguard.PROGRAM)
    keys = [X25519PrivateKey.generate() for _ in WIRES]
    addresses = [f"10.78.0.{number}" for number in (1, 2, 3)]
    public = [key.public_key() for key in keys]
    # Both ends reach each other by the relay, which the sink reminds of where it is.
    peers = (
        [Peer(public[1], addresses[2], WIRES[1], KEEPALIVE_S)],
        [Peer(public[0], addresses[0]), Peer(public[2], addresses[2])],
        [Peer(public[1], addresses[0], "10.77.2.2", KEEPALIVE_S)],
    )
    run(*network.node, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    with ExitStack() as stack:
        children: list[Child] = []
        for number, prefix in enumerate(prefixes(network)):
            command = (*prefix, *ALONE, program, "-f", DEVICE)
            child = start(stack, f"wireguard-go-{number}", command, folder, number=number)
            wait_until(seen_by(child.pid, wireguard.SOCKET).exists, child)
            tell(child.pid, settings(keys[number], peers[number]))
            address = f"{addresses[number]}/24"
            run(*prefix, "ip", "address", "add", address, "dev", DEVICE)
            run(*prefix, "ip", "link", "set", DEVICE, "mtu", str(MTU_BYTES), "up")
            children.append(child)
        wait_until(lambda: answers(network, addresses[2]), children[1])
        version = version_of(Path(program), wireguard.MODULE)
        # IP and UDP within; WireGuard's header and tag.
        added_bytes = 28 + 16 + 16
        name = f"wireguard-go {version}"
        yield Relayed(name, children[1].pid, (addresses[0], addresses[2]), added_bytes)


@contextmanager
def running_nebula(network: Network, folder: Path, *, of: str = "") -> Generator[Relayed]:
    """Run Nebula as generator, relay and sink, until the block ends.

    Args:
        of: How the names of its programs end: `-debian` is Debian's.

    Raises:
        LocalError: It is not here, or does not come up; with what it said last.
    """
    program, certify = found(f"nebula{of}"), found(f"nebula-cert{of}")
    addresses = [f"10.79.0.{number}" for number in (1, 2, 3)]
    names = ("generator", "relay", "sink")
    authority = ("-out-crt", f"{folder}/ca.crt", "-out-key", f"{folder}/ca.key")
    run(certify, "ca", "-name", "bench", *authority)
    with ExitStack() as stack:
        children: list[Child] = []
        # The relay first, whom both ends ask for each other.
        for number in (1, 0, 2):
            name, is_relay = names[number], number == 1
            run(
                certify, "sign", "-ca-crt", f"{folder}/ca.crt", "-ca-key", f"{folder}/ca.key",
                "-name", name, "-ip", f"{addresses[number]}/24",
                "-out-crt", f"{folder}/{name}.crt", "-out-key", f"{folder}/{name}.key",
            )  # fmt: skip
            wire = WIRES[1] if number == 0 else "10.77.2.2"
            known: Mapping[str, Sequence[str]] = (
                {} if is_relay else {addresses[1]: [f"{wire}:{NEBULA_PORT}"]}
            )
            config = folder / f"{name}.yml"
            said = NEBULA_CONFIG.format(
                folder=folder, name=name, known=json.dumps(known), is_relay=str(is_relay).lower(),
                others=json.dumps(list(known)), port=NEBULA_PORT, device=NEBULA_DEVICE,
                mtu=NEBULA_MTU_BYTES,
            )  # fmt: skip
            _ = config.write_text(said)
            command = (*prefixes(network)[number], program, "-config", str(config))
            child = start(stack, f"nebula-{name}", command, folder, number=number)
            children.append(child)
        wait_until(lambda: answers(network, addresses[2]), children[0])
        version = (
            subprocess.check_output([program, "-version"], text=True).split()[-1]
            if of
            else version_of(Path(program), NEBULA_MODULE)
        )
        # IP and UDP within; Nebula's header and tag, and those of the relay.
        added_bytes = 28 + 2 * (16 + 16)
        yield Relayed(
            f"Nebula {version}", children[0].pid, (addresses[0], addresses[2]), added_bytes
        )


def found(program: str) -> str:
    """Return the path of a program.

    Raises:
        LocalError: It is not here.
    """
    path = find_program(program)
    if path is None:
        raise LocalError(f"{program} is not installed; make others")
    return path


def prefixes(network: Network) -> tuple[tuple[str, ...], ...]:
    """Return what enters each of the namespaces."""
    return network.generator, network.node, network.sink


def start(
    stack: ExitStack, name: str, command: Sequence[str], folder: Path, *, number: int
) -> Child:
    """Start a process on the core of the node if it is the relay, else on the other."""
    cpu = NODE_CPU if number == 1 else LOAD_CPU
    child = stack.enter_context(Child(name, command, cpu=cpu, log=folder / f"{name}.log"))
    _ = stack.callback(child.terminate)
    return child


def answers(network: Network, address: str) -> bool:
    """Return whether the sink answers the generator through the tunnel: nobody listens, it says."""
    command = (*network.generator, sys.executable, "-c", KNOCK, address)
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def wait_until(is_so: Callable[[], bool], child: Child) -> None:
    """Return when something is so.

    Raises:
        LocalError: The process ended; with what it said last.
        DeadlineError: It takes too long.
    """
    ends_s = time.monotonic() + START_LIMIT_S
    while not is_so():
        if child.has_ended:
            raise LocalError(child.last_words() or "it ended without a word")
        if time.monotonic() > ends_s:
            raise DeadlineError(f"not within {START_LIMIT_S:g} s: {child.last_words()}")
        time.sleep(0.05)
