"""Datagrams that AF_XDP takes from a device, and all that it leaves alone.

hosts ── c0 ═ veth ═ n0 ── Engine        each end in a network namespace of this test

"""

import errno
import json
import select
import socket
import struct
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from threading import get_native_id

import pytest
from tests.native.rig import NODE, WITHIN_S, Host, Rig, Worker, address, key, pump_until

from ei._core import Engine, monotonic_ns
from ei.ways.linux import CLONE_NEWNET, unshare

pytestmark = pytest.mark.slow

PORT = 3_535
HOSTS_V4, NODE_V4 = "10.77.1.1", "10.77.1.2"
HOSTS_V6, NODE_V6 = "fd77::1", "fd77::2"
FAMILIES = {
    "IPv4": (f"{HOSTS_V4}:0", f"{NODE_V4}:{PORT}"),
    "IPv6": (f"[{HOSTS_V6}]:0", f"[{NODE_V6}]:{PORT}"),
}
ANYWHERE = {"IPv4": f"0.0.0.0:{PORT}", "IPv6": f"[::]:{PORT}"}
MTU = 3_000
SENT = 10_000
"""Datagrams, more than a device has room for."""
HEADERS_BYTES = 14 + 20 + 8
LONGEST_BYTES = 1_792 - HEADERS_BYTES
"""Of a datagram that is taken: its frame fits into a chunk of what is shared with the kernel."""


@dataclass(frozen=True)
class Network:
    """Two threads, each in a namespace of its own: what one of them opens stays in there."""

    hosts: ThreadPoolExecutor
    node: ThreadPoolExecutor

    def rig(self, *binds: str, xdp: tuple[str, ...] = ("n0",)) -> Rig:
        """Make an engine on its side."""
        return self.node.submit(Rig, binds=binds, xdp=xdp).result()

    def pair(self, rig: Rig, worker: Worker, family: str) -> tuple[Host, Host]:
        """Make two hosts on their side, and wait for their pipes."""
        near, there = FAMILIES[family]
        make = partial(rig.host, bind=near, endpoint=there)
        hosts = [self.hosts.submit(make, number).result() for number in (1, 2)]
        pump_until(lambda: all(host.is_up for host in hosts), *hosts, worker)
        return hosts[0], hosts[1]

    def run_at_node(self, *command: str) -> str:
        """Run a program on its side; return what it says."""
        return self.node.submit(run, *command).result()

    def has_program(self) -> bool:
        """Whether one is attached to its device."""
        (link,) = json.loads(
            self.run_at_node("ip", "-json", "-details", "link", "show", "dev", "n0")
        )
        return "xdp" in link


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def network() -> Iterator[Network]:
    with ExitStack() as stack:
        sides = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2)]
        try:
            for side in sides:
                side.submit(unshare, CLONE_NEWNET).result()
        except OSError:
            pytest.skip("namespaces and AF_XDP need root")
        made = Network(*sides)
        hosts = str(made.hosts.submit(get_native_id).result())
        peer = ("peer", "name", "c0", "netns", hosts)
        _ = made.run_at_node("ip", "link", "add", "n0", "mtu", str(MTU), "type", "veth", *peer)
        for side, device, v4, v6 in (
            (made.hosts, "c0", HOSTS_V4, HOSTS_V6),
            (made.node, "n0", NODE_V4, NODE_V6),
        ):
            at = partial(side.submit, run, "ip")
            _ = at("link", "set", device, "mtu", str(MTU), "up").result()
            _ = at("link", "set", "lo", "up").result()
            _ = at("address", "add", f"{v4}/24", "dev", device).result()
            _ = at("address", "add", f"{v6}/64", "dev", device, "nodad").result()
        yield made


def wait_for(rig: Rig, name: str, count: int) -> None:
    ends_ns = monotonic_ns() + int(WITHIN_S * 1e9)
    while rig.counts()[name] < count:
        assert monotonic_ns() < ends_ns, f"{name} is {rig.counts()[name]}, not {count}"


SOMETHING = b"after it"


def say_something() -> None:
    """Send one datagram to the node, from the side of the hosts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        _ = sending.sendto(SOMETHING, (NODE_V4, PORT))


def busy_ns(rig: Rig) -> int:
    """Return the CPU time of the datapath's thread."""
    threads = rig.node.statistics()["threads"]
    assert isinstance(threads, list)
    return int(threads[0]["cpu_ns"])


def udp(network: Network, kind: int = socket.SOCK_DGRAM, protocol: int = 0) -> socket.socket:
    """Make a socket on the side of the hosts."""
    return network.hosts.submit(socket.socket, socket.AF_INET, kind, protocol).result()


# -- what is taken ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("binds", [FAMILIES, ANYWHERE], ids=["one address", "any address"])
def test_all_that_is_for_the_node_is_taken_from_the_device(
    network: Network, family: str, binds: dict[str, tuple[str, str] | str]
) -> None:
    bind = binds[family]
    with network.rig(bind if isinstance(bind, str) else bind[1]) as rig:
        worker = rig.attach()
        alice, bob = network.pair(rig, worker, family)
        payloads = [number.to_bytes(2, "big") * 200 for number in range(500)]

        for end in range(50, 501, 50):
            _ = alice.send(bob.address, payloads[end - 50 : end])
            pump_until(lambda end=end: len(bob.payloads) == end, alice, bob, worker)  # type: ignore[misc]

        assert bob.payloads == payloads
        counted = rig.counts()
        assert counted["captured"] == counted["received"]
        assert counted["captured"] > len(payloads)
        assert counted["socket_overflows"] == 0
        rig.check_books()


def test_two_families_are_taken_from_one_device(network: Network) -> None:
    with network.rig(*(there for _, there in FAMILIES.values())) as rig:
        worker = rig.attach()

        for family in FAMILIES:
            _ = network.pair(rig, worker, family)

        assert rig.counts()["captured"] == rig.counts()["received"]


def test_a_link_local_sender_is_answered(network: Network) -> None:
    for side, device, own in ((network.hosts, "c0", "fe80::1"), (network.node, "n0", "fe80::2")):
        where = ("dev", device, "nodad")
        _ = side.submit(run, "ip", "address", "add", f"{own}/64", *where).result()
    index = network.hosts.submit(socket.if_nametoindex, "c0").result()
    with network.rig(ANYWHERE["IPv6"]) as rig:
        make = partial(
            rig.host, 1, bind=f"[fe80::1%{index}]:0", endpoint=f"[fe80::2%{index}]:{PORT}"
        )
        host = network.hosts.submit(make).result()

        pump_until(lambda: host.is_up, host)

        assert rig.counts()["captured"] == rig.counts()["received"]


# -- what is left alone ----------------------------------------------------------------------------


def test_what_is_for_others_passes(network: Network) -> None:
    with network.rig(FAMILIES["IPv4"][1]) as rig:
        other = network.node.submit(socket.socket, socket.AF_INET, socket.SOCK_DGRAM).result()
        with other, udp(network) as sending:
            other.settimeout(WITHIN_S)
            other.bind((NODE_V4, PORT + 1))
            _ = sending.sendto(b"for another", (NODE_V4, PORT + 1))

            assert other.recv(100) == b"for another"

        listening = network.node.submit(socket.create_server, (NODE_V4, PORT)).result()
        connect = partial(socket.create_connection, (NODE_V4, PORT), WITHIN_S)
        with listening, network.hosts.submit(connect).result() as by_tcp:
            _ = by_tcp.send(b"by TCP")
            taken, _ = listening.accept()
            with taken:
                assert taken.recv(100) == b"by TCP"

        assert rig.counts()["captured"] == 0


@pytest.mark.parametrize("payload_bytes", [1, LONGEST_BYTES, LONGEST_BYTES + 1, MTU - 28])
def test_a_datagram_comes_in_by_the_device_or_by_the_socket_but_comes(
    network: Network, payload_bytes: int
) -> None:
    with network.rig(FAMILIES["IPv4"][1]) as rig, udp(network) as sending:
        _ = sending.sendto(bytes(payload_bytes), (NODE_V4, PORT))

        wait_for(rig, "received", 1)
        assert rig.counts()["received_bytes"] == payload_bytes
        assert rig.counts()["captured"] == (payload_bytes <= LONGEST_BYTES)


@pytest.mark.parametrize("source", ["127.0.0.5", "224.0.0.5", "255.255.255.255", NODE_V4])
def test_what_nobody_sends_from_is_answered_by_nobody(network: Network, source: str) -> None:
    raw = socket.SOCK_RAW, socket.IPPROTO_RAW
    with network.rig(FAMILIES["IPv4"][1]) as rig, udp(network, *raw) as sending:
        addresses = socket.inet_aton(source) + socket.inet_aton(NODE_V4)
        udp_header = struct.pack("!4H", 4_321, PORT, 8 + 20, 0)
        packet = b"\x45" + bytes(8) + b"\x11" + bytes(2) + addresses + udp_header + bytes(20)
        _ = sending.sendto(packet, (NODE_V4, 0))
        _ = network.hosts.submit(say_something).result()

        wait_for(rig, "captured", 1)
        assert rig.counts()["received_bytes"] == len(SOMETHING)


def test_a_packet_with_options_comes_by_the_socket(network: Network) -> None:
    with network.rig(FAMILIES["IPv4"][1]) as rig, udp(network) as sending:
        record_route = bytes([7, 7, 4, 0, 0, 0, 0, 0])
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, record_route)
        _ = sending.sendto(b"by a detour", (NODE_V4, PORT))

        wait_for(rig, "received", 1)
        assert rig.counts()["captured"] == 0


# -- what is broken --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "checksum", "kept_bytes"),
    [(8 + 20, 0, 20), (8 + 20, 1, 0), (7, 0, 0), (0, 0, 0), (8 + 21, 0, 0), (65_535, 0, 0)],
    ids=["right", "wrong sum", "no room for its header", "no length", "cut", "cut a lot"],
)
def test_a_datagram_that_was_broken_on_its_way_is_counted_as_empty(
    network: Network, length: int, checksum: int, kept_bytes: int
) -> None:
    raw = socket.SOCK_RAW, socket.IPPROTO_UDP
    with network.rig(FAMILIES["IPv4"][1]) as rig, udp(network, *raw) as sending:
        header = struct.pack("!4H", 4_321, PORT, length, checksum)
        _ = sending.sendto(header + bytes(20), (NODE_V4, 0))

        wait_for(rig, "received", 1)
        assert rig.counts()["received_bytes"] == kept_bytes
        assert rig.counts()["captured"] == 1
        rig.check_books()


def test_what_finds_no_room_is_counted(network: Network) -> None:
    there = FAMILIES["IPv4"][1]
    make = partial(Engine, binds=[there], address=address(NODE), private_key=key(NODE), xdp=["n0"])
    # Not started: nobody takes anything.
    made = network.node.submit(make).result()

    with udp(network) as sending:
        for _ in range(SENT):
            _ = sending.sendto(bytes(100), (NODE_V4, PORT))

    lost = made.statistics()["socket_overflows"]
    assert isinstance(lost, int)
    made.start()
    ends_ns = monotonic_ns() + int(WITHIN_S * 1e9)
    while (captured := made.statistics()["captured"]) != SENT - lost:
        assert monotonic_ns() < ends_ns, f"{captured} of {SENT} came and {lost} were lost"
    made.stop()
    assert lost > 0


# -- beginning and end -----------------------------------------------------------------------------


def test_the_device_is_as_it_was_once_the_node_has_stopped(network: Network) -> None:
    with network.rig(FAMILIES["IPv4"][1]):
        assert network.has_program()

    assert not network.has_program()


def test_a_node_goes_on_when_its_device_is_gone(network: Network) -> None:
    with network.rig(ANYWHERE["IPv4"]) as rig, udp(network) as sending:
        _ = sending.sendto(b"by the device", (NODE_V4, PORT))
        wait_for(rig, "captured", 1)
        _ = network.run_at_node("ip", "link", "del", "n0")
        before_ns = busy_ns(rig)
        _ = select.select([], [], [], 0.5)

        assert busy_ns(rig) - before_ns < 250_000_000, "the thread is busy with nothing"
        near = network.node.submit(socket.socket, socket.AF_INET, socket.SOCK_DGRAM).result()
        with near:
            _ = near.sendto(b"by the socket", ("127.0.0.1", PORT))
            wait_for(rig, "received", 2)
        assert rig.counts()["captured"] == 1


def test_a_second_node_at_the_same_device_is_refused(network: Network) -> None:
    with (
        network.rig(FAMILIES["IPv4"][1]),
        pytest.raises(OSError, match="cannot open an AF_XDP socket") as seen,
    ):
        _ = network.rig(f"{NODE_V4}:{PORT + 1}")

    assert (seen.value.errno, seen.value.filename) == (errno.EBUSY, "n0")


@pytest.mark.parametrize(
    ("device", "kind", "said"),
    [
        ("lo", (), "which has no frames of Ethernet"),
        ("t0", ("tuntap", "add", "dev", "t0", "mode", "tap"), "which is a tap"),
        ("d0", ("link", "add", "d0", "type", "bridge"), "cannot attach a program to it"),
    ],
)
def test_a_device_that_cannot_be_used_is_refused(
    network: Network, device: str, kind: tuple[str, ...], said: str
) -> None:
    if kind:
        _ = network.run_at_node("ip", *kind)
        _ = network.run_at_node("ip", "address", "add", "10.78.0.1/24", "dev", device)

    with pytest.raises(OSError, match=said) as seen:
        _ = network.rig(ANYWHERE["IPv4"], xdp=(device,))

    assert (seen.value.errno, seen.value.filename) == (errno.EOPNOTSUPP, device)


def test_devices_share_the_queues_and_the_memory(network: Network) -> None:
    pair = ("name", "n1", "numrxqueues", "12", "numtxqueues", "12")
    _ = network.run_at_node("ip", "link", "add", *pair, "type", "veth", "peer", "name", "c1")
    _ = network.run_at_node("ip", "address", "add", "10.78.0.2/24", "dev", "n1")

    with network.rig(ANYWHERE["IPv4"], xdp=("n0", "n1")) as rig, udp(network) as sending:
        _ = sending.sendto(b"by the first", (NODE_V4, PORT))

        wait_for(rig, "captured", 1)


def test_a_device_without_an_address_of_the_node_is_refused(network: Network) -> None:
    _ = network.run_at_node("ip", "-4", "address", "flush", "dev", "n0")

    with pytest.raises(OSError, match="cannot find an address of the node at it") as seen:
        _ = network.rig(ANYWHERE["IPv4"])

    assert (seen.value.errno, seen.value.filename) == (errno.EADDRNOTAVAIL, "n0")


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(OSError, match="cannot find it: No such device") as seen:
        _ = Rig(xdp=("nosuchdevice",))

    assert (seen.value.errno, seen.value.filename) == (errno.ENODEV, "nosuchdevice")


def test_it_is_for_one_thread() -> None:
    with pytest.raises(ValueError, match="xdp: 2 threads seen, 1 allowed"):
        _ = Rig(threads=2, xdp=("lo",))
