"""A real node's datapath: threads, sockets, workers, and what becomes of them."""

import random
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from tests.native.rig import (
    DELIVERY,
    NODE,
    Host,
    Rig,
    Worker,
    address,
    key,
    pump_until,
    send,
    wait_for_notices,
)

from ei._core import Engine, monotonic_ns
from ei.runtime.batches import Answer, EffectBatch, Outcome, ResolveBytes
from ei.runtime.worker import socket_pair
from ei.sdk import PeerChanged, Started

pytestmark = pytest.mark.slow

MOST_BEFORE_CONTROL = 256


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as made:
        yield made
        made.check_books()


def node(**changed: object) -> Engine:
    """Make an engine with one argument or another changed."""
    usual: dict[str, object] = {
        "binds": ["127.0.0.1:0"],
        "address": address(NODE),
        "private_key": key(NODE),
    }
    return Engine(**{**usual, **changed})  # type: ignore[arg-type]


def datapath_threads() -> int:
    """Count the threads of engines; one that has just ended may still be listed for a moment."""
    names: list[str] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it ends while we look
            names.append((task / "comm").read_text())
    return sum(name.startswith("ei-datapath") for name in names)


def wait_for_threads(count: int) -> None:
    ends_ns = monotonic_ns() + 5 * 10**9
    while datapath_threads() != count:
        assert monotonic_ns() < ends_ns, f"{datapath_threads()} threads instead of {count}"


def datagram_sockets() -> set[int]:
    """Return the inodes of all UDP sockets."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return {int(line.split()[9]) for line in lines}


def watched_by_epolls() -> set[int]:
    """Return the inodes of what the epolls of this process watch."""
    inodes: set[int] = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # it is closed while we look
            if entry.readlink().name == "anon_inode:[eventpoll]":
                told = (Path("/proc/self/fdinfo") / entry.name).read_text()
                inodes |= {int(number, 16) for number in re.findall(r"\bino:([0-9a-f]+)", told)}
    return inodes


# -- packets -------------------------------------------------------------------------------------


def test_no_epoll_is_told_of_each_datagram(rig: Rig) -> None:
    worker = rig.attach()
    alice, bob = rig.pair(worker)
    _ = alice.send(bob.address, [b"first"])
    pump_until(lambda: bob.payloads == [b"first"], alice, bob, worker)

    watched = watched_by_epolls()

    # The mailbox and the worker's socket.
    assert watched
    assert watched.isdisjoint(datagram_sockets())


def test_the_first_packet_is_decided_and_the_others_are_hits(rig: Rig) -> None:
    worker = rig.attach()
    alice, bob = rig.pair(worker)
    _ = alice.send(bob.address, [b"first"])
    pump_until(lambda: bob.payloads == [b"first"], alice, bob, worker)

    _ = alice.send(bob.address, [bytes([number]) for number in range(100)])
    pump_until(lambda: len(bob.payloads) == 101, alice, bob, worker)

    assert bob.payloads[1:] == [bytes([number]) for number in range(100)]
    assert [packet.payload for packet in worker.packets()] == [b"first"]
    assert rig.counts()["forwarded"] == 100


def test_trains_of_every_length_cross_whole(rig: Rig) -> None:
    worker = rig.attach()
    alice, bob = rig.pair(worker)
    _ = alice.send(bob.address, [b"decide"])
    pump_until(lambda: len(bob.payloads) == 1, alice, bob, worker)
    payloads = [random.Random(7).randbytes(length) for length in range(1, 1_281, 7)]

    for number, payload in enumerate(payloads):
        _ = alice.send(bob.address, [payload] * 8)
        pump_until(lambda at=9 + 8 * number: len(bob.payloads) == at, alice, bob, worker)

    assert bob.payloads[1:] == [payload for payload in payloads for _ in range(8)]


def test_a_burst_larger_than_a_train_arrives_in_order(rig: Rig) -> None:
    worker = rig.attach()
    alice, bob = rig.pair(worker)
    _ = alice.send(bob.address, [b"decide"])
    pump_until(lambda: len(bob.payloads) == 1, alice, bob, worker)
    payloads = [number.to_bytes(4) * 250 for number in range(1_000)]

    taken = alice.send(bob.address, payloads)
    pump_until(lambda: len(bob.payloads) == 1_001, alice, bob, worker)

    assert taken == 1_000
    assert bob.payloads[1:] == payloads


def test_ipv6_and_ipv4_hosts_reach_each_other() -> None:
    with Rig(binds=["127.0.0.1:0", "[::1]:0"]) as rig:
        worker = rig.attach()
        four, six = rig.host(1), rig.host(2, bind="[::1]:0", endpoint=1)
        pump_until(lambda: four.is_up and six.is_up, four, six, worker)

        _ = four.send(six.address, [b"from four"])
        _ = six.send(four.address, [b"from six"])
        pump_until(lambda: bool(four.payloads and six.payloads), four, six, worker)

        assert (four.payloads, six.payloads) == ([b"from six"], [b"from four"])
        rig.check_books()


@pytest.mark.parametrize("threads", [2, 5, 16])
def test_several_threads_share_the_lanes_and_keep_the_books(threads: int) -> None:
    with Rig(threads=threads) as rig:
        worker = rig.attach()
        alice, bob = rig.pair(worker)

        _ = alice.send(bob.address, [b"decided"])
        pump_until(lambda: len(bob.payloads) == 1, alice, bob, worker)
        _ = alice.send(bob.address, [b"hit"] * 100)
        pump_until(lambda: len(bob.payloads) == 101, alice, bob, worker)

        found = rig.node.statistics()["threads"]
        assert isinstance(found, list)
        assert len(found) == threads
        rig.check_books()


def test_ten_thousand_random_datagrams_get_no_answer(rig: Rig) -> None:
    numbers = random.Random(35)
    host, port = rig.node.endpoints[0].rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.connect((host, int(port)))

        for number in range(10_000):
            datagram = bytearray(numbers.randbytes(numbers.randrange(1, 1_400)))
            # Half of them look like ours at first.
            datagram[0] = 0x11 + number % 4 if number % 2 else datagram[0]
            _ = stranger.send(datagram)
            if number % 100 == 0:
                wait_for_received(rig, number)
        wait_for_received(rig, 10_000)
        count = rig.counts()

        assert count["received"] == 10_000
        assert count["signals"] == count["sent"] == 0
        assert select.select([stranger], [], [], 0)[0] == []


def test_an_empty_datagram_has_a_fate(rig: Rig) -> None:
    host, port = rig.node.endpoints[0].rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.connect((host, int(port)))

        for _ in range(10):
            _ = stranger.send(b"")
        wait_for_received(rig, 10)

        assert rig.node.statistics()["dropped"] == {"truncated": 10}


def test_threads_outlive_peers_that_come_again_and_again() -> None:
    with Rig(threads=2) as rig:
        for _ in range(12):
            come_again(rig)
        host_part, port = rig.node.endpoints[0].rsplit(":", 1)
        before = rig.counts()["received"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            # As data of lane 1, which is the second thread's.
            _ = stranger.sendto(b"\x14\x00\x00\x00\x01" + bytes(59), (host_part, int(port)))
        wait_for_received(rig, before + 1)

        rig.check_books()


def come_again(rig: Rig) -> None:
    host = rig.host(1)
    pump_until(lambda: host.is_up, host)


def wait_for_received(rig: Rig, count: int) -> None:
    ends_ns = monotonic_ns() + 5 * 10**9
    while rig.counts()["received"] < count:
        assert monotonic_ns() < ends_ns


# -- workers -------------------------------------------------------------------------------------


def test_a_worker_starts_with_started_and_the_peers_that_are_up(rig: Rig) -> None:
    first = rig.attach()
    _ = rig.pair(first)
    first.close()
    _ = rig.notices("worker_lost")

    second = rig.attach()
    pump_until(lambda: len(second.items()) >= 3, second)

    started, *changes = second.items()[:3]
    assert isinstance(started, Started)
    assert {address(1), address(2)} == {
        change.peer for change in changes if isinstance(change, PeerChanged) and change.is_up
    }


@pytest.mark.parametrize("threads", [1, 2])
def test_an_avoided_peer_is_told_to_the_worker_by_the_first_thread_alone(threads: int) -> None:
    with Rig(threads=threads) as rig:
        worker = rig.attach()
        _, other = rig.pair(worker)

        rig.node.set_peer_avoided(other.address, is_avoided=True)
        rig.node.set_peer_avoided(other.address, is_avoided=False)

        def told() -> list[bool]:
            changes = [item for item in worker.items() if isinstance(item, PeerChanged)]
            return [change.is_up for change in changes if change.peer == other.address]

        pump_until(lambda: told() == [True, False, True], other, worker)


def test_under_load_batches_grow(rig: Rig) -> None:
    worker = rig.attach()
    worker.installs = False
    alice, bob = rig.pair(worker)
    worker.batches.clear()

    for burst in range(8):
        _ = alice.send(bob.address, [b"miss"] * 64, connection=burst)
    pump_until(lambda: len(bob.payloads) == 512, alice, bob, worker)

    sizes = [len(batch.items) for batch in worker.batches]
    assert max(sizes) == 64
    assert len(sizes) < 64


def test_a_hang_up_loses_what_was_unanswered_and_is_told_once(rig: Rig) -> None:
    worker = rig.attach()
    alice, bob = rig.pair(worker)
    _ = alice.send(bob.address, [b"lost"])
    while b"lost" not in worker.ends[0].recv(1 << 18):
        pass

    worker.close()

    assert rig.notices("worker_lost") == [("worker_lost", DELIVERY)]
    found = rig.node.statistics()
    assert found["missed_dropped"] == {"worker_lost": 1}
    assert found["lost_workers"] == {DELIVERY: "it closed its socket"}
    replaced = rig.attach()
    _ = alice.send(bob.address, [b"again"])
    pump_until(lambda: bob.payloads == [b"again"], alice, bob, replaced)
    assert rig.node.statistics()["lost_workers"] == {}


def test_what_comes_for_a_paused_worker_waits_for_the_next_version(rig: Rig) -> None:
    worker = rig.attach()
    alice, bob = rig.pair(worker)
    _ = alice.send(bob.address, [b"decided"])
    pump_until(lambda: bob.payloads == [b"decided"], alice, bob, worker)
    answered = len(worker.packets())

    assert rig.node.pause_worker(DELIVERY) == 0
    _ = alice.send(bob.address, [b"waits"] * 3, connection=2)
    pump_until(lambda: rig.counts()["waiting"] == 3, alice, bob, worker)
    rig.node.add_service(DELIVERY, queue_packets=64, counters=["new"])
    other = rig.attach()
    _ = alice.send(bob.address, [b"anew"])
    pump_until(lambda: len(bob.payloads) == 5, alice, bob, other)

    assert sorted(bob.payloads[1:]) == [b"anew", b"waits", b"waits", b"waits"]
    assert len(worker.packets()) == answered
    assert b"anew" in [packet.payload for packet in other.packets()]
    assert rig.node.statistics()["missed_dropped"] == {}


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        (b"\xc1", "has the wrong msgpack type"),
        (b"\x93", "the batch ends inside sequence"),
        (msgspec.msgpack.encode(EffectBatch(99, 0, ())), "the batch answers 99"),
        (msgspec.msgpack.encode([1, 2, 3, 4]), "is not an array of"),
        (bytes(100_000), "has the wrong msgpack type"),
    ],
)
def test_a_worker_that_talks_garbage_is_given_up(rig: Rig, garbage: bytes, why: str) -> None:
    worker = rig.attach()
    pump_until(lambda: bool(worker.batches), worker)

    _ = worker.ends[0].send(garbage)

    assert rig.notices("worker_lost") == [("worker_lost", DELIVERY)]
    lost = rig.node.statistics()["lost_workers"]
    assert isinstance(lost, dict)
    assert why in lost[DELIVERY]
    assert worker.ends[0].recv(1) == b""


def test_a_batch_unanswered_for_two_seconds_is_told(rig: Rig) -> None:
    begun_ns = monotonic_ns()
    _ = rig.attach()

    assert rig.notices("worker_slow") == [("worker_slow", DELIVERY)]
    assert 2.0 < (monotonic_ns() - begun_ns) / 1e9 < 3.0


def test_effects_that_come_by_themselves_are_taken(rig: Rig) -> None:
    worker = rig.attach()
    alice, bob = rig.pair(worker)
    _ = alice.send(bob.address, [b"asked"])
    pump_until(lambda: bob.payloads == [b"asked"], alice, bob, worker)

    answer = Answer(Outcome.NONE, "", (send(worker.packets()[0]),))
    worker.reply(worker.ends[0], EffectBatch(0, worker.batches[-1].epoch, (answer,)))

    pump_until(lambda: bob.payloads == [b"asked", b"asked"], alice, bob, worker)


def test_a_message_over_a_mebibyte_is_no_batch(rig: Rig) -> None:
    worker = rig.attach()
    pump_until(lambda: bool(worker.batches), worker)
    end = worker.ends[0]
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    so_sndbufforce = 32
    try:
        end.setsockopt(socket.SOL_SOCKET, so_sndbufforce, 1 << 22)
    except PermissionError:
        pytest.skip("without privilege the system allows no message of that length")

    _ = end.send(bytes((1 << 20) + 1))

    assert rig.notices("worker_lost") == [("worker_lost", DELIVERY)]
    assert rig.node.statistics()["lost_workers"] == {
        DELIVERY: "its batch of 1048577 B is longer than 1048576 B"
    }


def test_a_workers_socket_must_be_of_the_right_kind(rig: Rig) -> None:
    stream, other = socket.socketpair()
    with other, pytest.raises(OSError, match="SOCK_SEQPACKET"):
        rig.node.attach_worker(DELIVERY, [stream.detach()])

    with pytest.raises(OSError, match="Bad file descriptor"):
        rig.node.attach_worker(DELIVERY, [999])
    with pytest.raises(ValueError, match="0 sockets for 1 threads"):
        rig.node.attach_worker(DELIVERY, [])


# -- bounds --------------------------------------------------------------------------------------


def test_datagrams_that_find_the_sockets_buffer_full_are_counted() -> None:
    made = node()
    ip, _, port = made.endpoints[0].rpartition(":")

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        for _ in range(1_000):
            _ = sending.sendto(bytes(60_000), (ip, int(port)))

    found = made.statistics()
    assert found["socket_overflows"] in range(1, 1_000)
    threads = found["threads"]
    assert isinstance(threads, list)
    assert threads[0]["socket_overflows"] == found["socket_overflows"]
    assert found["received"] == 0


def test_notices_that_nobody_takes_are_lost_and_counted(rig: Rig) -> None:
    [end] = rig.attach().ends
    queries = tuple(ResolveBytes(b"?") for _ in range(2_000))
    batch = EffectBatch(0, 0, (Answer(Outcome.NONE, "", queries),))

    for _ in range(35):
        _ = end.send(msgspec.msgpack.encode(batch))

    ends_ns = monotonic_ns() + 5 * 10**9
    while not rig.counts()["notice_overflows"]:
        assert monotonic_ns() < ends_ns, "no notice was lost"
    assert len(rig.node.take_notices()) >= 65_536


def test_control_messages_that_the_node_does_not_take_wait_and_none_is_lost(rig: Rig) -> None:
    host = rig.host(1)
    pump_until(lambda: host.is_up, host)
    messages = [number.to_bytes(2) for number in range(1_000)]
    for message in messages:
        host.datapath.send_control(monotonic_ns(), address(NODE), 2, message)
    _ = host.socket.flush(host.datapath)

    def waiting() -> list[bytes]:
        return [notice[3] for notice in rig.node.take_notices() if notice[0] == "control"]

    def heard() -> object:
        peers = rig.node.statistics()["peers"]
        assert isinstance(peers, dict)
        return peers[host.address.hex()]["received"]

    pump_until(lambda: heard() in range(330, 10_000), host)
    taken = waiting()
    assert len(taken) <= MOST_BEFORE_CONTROL

    pump_until(lambda: bool(taken.extend(waiting())) or len(taken) == len(messages), host)

    assert taken == messages
    assert rig.counts()["notice_overflows"] == 0


# -- life ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_a_port_in_use_is_said_with_its_endpoint(threads: int) -> None:
    first = node(threads=threads)

    with pytest.raises(OSError, match="Address already in use") as raised:
        _ = node(binds=[first.endpoints[0]], threads=threads)

    assert raised.value.filename == first.endpoints[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"threads": 17}, "threads of 17 is not within 1 to 16"),
        ({"binds": []}, "binds is empty"),
        ({"binds": ["127.0.0.1:0", "127.0.0.2:0"]}, "at most one is IPv4 and one IPv6"),
        ({"binds": ["localhost:1"]}, "is not IP:PORT"),
        ({"address": bytes(15)}, "address of 15 bytes is not of 16 bytes"),
        ({"max_datagram_bytes": 1_359}, "max_datagram_bytes of 1359 is not within 1360 to 65000"),
        ({"cpus": [0, 1]}, "cpus names 2 CPUs for 1 threads"),
    ],
)
def test_a_wrong_argument_is_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _ = node(**wrong)


def test_a_thread_that_cannot_run_ends_the_engine_loudly() -> None:
    made = node(cpus=[1_000], threads=1)
    made.start()

    [(_, text)] = wait_for_notices(made, "failed")

    assert "cannot use CPU 1000" in str(text)
    with pytest.raises(RuntimeError, match="cannot use CPU 1000"):
        _ = made.statistics()
    made.stop()


def test_stop_ends_the_threads_within_a_second_and_frees_the_port() -> None:
    made = node(threads=4)
    made.start()
    wait_for_threads(4)

    begun_ns = monotonic_ns()
    made.stop()
    made.stop()

    assert monotonic_ns() - begun_ns < 10**9
    wait_for_threads(0)
    node(binds=made.endpoints).stop()
    with pytest.raises(RuntimeError, match="the engine is stopped"):
        made.dial(address(1))


@pytest.mark.parametrize("threads", [1, 2])
def test_what_was_ordered_before_the_stop_is_sent_before_it(threads: int) -> None:
    with Rig(threads=threads) as rig:
        hosts = [rig.host(number) for number in range(1, 9)]
        pump_until(lambda: all(host.is_up for host in hosts), *hosts)

        for host in hosts:
            rig.node.close_peer(host.address)
        rig.node.stop()

        # By itself an idle host would ask for a sign of life after 15 s.
        pump_until(lambda: not any(host.is_up for host in hosts), *hosts)


def test_a_forgotten_engine_ends_its_threads() -> None:
    made = node(threads=2)
    made.start()
    wait_for_threads(2)

    del made

    wait_for_threads(0)


# -- the interpreter ------------------------------------------------------------------------------

NODE_THAT_KEEPS_ITS_INTERPRETER_BUSY = """
import sys
from ei._core import Engine
from tests.native.rig import DELIVERY, NODE, address, key, public_key

node = Engine(binds=["127.0.0.1:0"], address=address(NODE), private_key=key(NODE))
for number in (1, 2):
    node.add_peer(address(number), public_key(key(number)), kind="host")
node.add_service(DELIVERY)
node.attach_worker(DELIVERY, [int(sys.argv[1])])
node.start()
print(node.endpoints[0], flush=True)
sys.stdin.readline()
print("busy", flush=True)
power = 3 ** 3_000_000  # one bytecode: no other Python thread runs meanwhile
print("done", flush=True)
sys.stdin.readline()
"""


def test_hits_and_misses_cross_while_pythons_lock_is_held() -> None:
    theirs, ours = socket_pair()
    with theirs, ours:
        program = subprocess.Popen(
            [sys.executable, "-c", NODE_THAT_KEEPS_ITS_INTERPRETER_BUSY, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with program as child:
            assert child.stdin is not None
            assert child.stdout is not None
            endpoint = child.stdout.readline().strip()
            worker = Worker([ours], installs=False)
            alice, bob = (Host(number, endpoint=endpoint) for number in (1, 2))
            pump_until(lambda: alice.is_up and bob.is_up, alice, bob, worker)
            _ = child.stdin.write("go\n")
            child.stdin.flush()
            assert child.stdout.readline() == "busy\n"

            for number in range(50):
                _ = alice.send(bob.address, [b"miss"], connection=number)
                pump_until(lambda at=number + 1: len(bob.payloads) == at, alice, bob, worker)
            was_held_all_along = not select.select([child.stdout], [], [], 0)[0]

            assert child.stdout.readline() == "done\n"
            alice.close()
            bob.close()
    assert was_held_all_along
