"""Real hosts and a real node over 127/8: traffic, a slow worker, a dead worker, and an end."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from signal import SIGSTOP, SIGTERM
from threading import Thread

import pytest
from tests.host.test_dns import SERVICE, ZONE, Zone, resolver, zone

import ei
from ei.daemons.client import ask
from ei.errors import DeadlineError, EiError, LocalError, NotFoundError, StreamError
from ei.host.init import init_host
from ei.records.enrolling import Roll
from ei.records.issuer import Issuer
from ei.records.key_files import write_keys
from ei.records.keys import make_keys
from ei.records.record_files import read_records

pytestmark = pytest.mark.slow

PROGRAM = """
import sys
from pathlib import Path
from ei.node.daemon import run_node
from ei.host.daemon import run_host
run = run_node if sys.argv[1] == "node" else run_host
run(Path(sys.argv[2]), supervisor_fd=int(sys.argv[3]))
"""
NODE_TOML = """
version = 1
name = "sn1.isp-a"
domain_number = 1
binds = ["{endpoint}"]
services = ["delivery", "echo"]
records_file = "../records.eir"
attachment_limit_s = 31_536_000
[trust]
isp-a = "{trust}"
"""


class Place:
    """A node and two hosts as processes, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._reading, self._writing = os.pipe()

    def start(self, name: str, kind: str) -> None:
        """Start one of them."""
        with (self.folder / name / "log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    PROGRAM,
                    kind,
                    str(self.folder / name / f"{kind}.toml"),
                    str(self._reading),
                ],
                stderr=log,
                pass_fds=(self._reading,),
            )

    def ask(self, whom: str, verb: str, /, **arguments: object) -> dict[str, object]:
        """Ask one of them."""
        return ask(self.folder / whom / "admin.sock", verb, arguments, deadline_s=20)

    def wait_until(self, is_so: Callable[[], object]) -> None:
        """Return when it is so; what it asks may fail until then."""
        deadline_s = time.monotonic() + 15
        while time.monotonic() < deadline_s:
            with suppress(EiError):
                if is_so():
                    return
            time.sleep(0.02)
        raise AssertionError(self.logs())

    def logs(self) -> str:
        """What all of them said."""
        return "\n".join(path.read_text() for path in self.folder.glob("*/log"))

    def is_up(self, name: str) -> bool:
        """Whether a host has a pipe."""
        attachments = self.ask(name, "status")["attachments"]
        assert isinstance(attachments, list)
        return any(each["is_up"] for each in attachments)

    def workers(self) -> dict[str, int]:
        """Process ids of the node's workers by service."""
        workers = self.ask("sn1", "status")["workers"]
        assert isinstance(workers, list)
        return {worker["service"]: worker["pid"] for worker in workers}

    def end(self) -> dict[str, int]:
        """Hang up on all; return their exit codes."""
        if self._writing >= 0:
            os.close(self._writing)
            os.close(self._reading)
            self._writing = -1
        return {name: process.wait(10) for name, process in self._processes.items()}

    def signal(self, name: str) -> int:
        """Send SIGTERM to one; return its exit code."""
        self._processes[name].send_signal(SIGTERM)
        return self._processes[name].wait(10)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """All of them started, both hosts attached; shared by the tests of this file."""
    yield from _start(tmp_path_factory.mktemp("place"), network=94)


@pytest.fixture
def own_place(tmp_path: Path) -> Iterator[Place]:
    """The same for one test alone, which may end them."""
    yield from _start(tmp_path, network=95)


def _start(tmp_path: Path, *, network: int) -> Iterator[Place]:
    issuer = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=int(time.time()) + 86_400)
    roll = Roll(issuer, tmp_path / "records.eir", unix_s=time.time())
    endpoint = f"127.{network}.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}:3535"
    _write_node(tmp_path / "sn1", roll, endpoint)
    for name in ("alice", "bob", "carol"):
        _ = init_host(
            tmp_path / name,
            name=name,
            nodes=("sn1.isp-a",),
            roll=roll,
            randomness=name.encode().ljust(32),
        )
    made = Place(tmp_path)
    try:
        made.start("sn1", "node")
        made.start("alice", "host")
        made.start("bob", "host")
        made.wait_until(lambda: made.is_up("alice") and made.is_up("bob"))
        yield made
    finally:
        _ = made.end()


def _write_node(folder: Path, roll: Roll, endpoint: str) -> None:
    keys = make_keys(b"n" * 32)
    folder.mkdir()
    write_keys(folder / "key", keys)
    trust = roll.issuer.keys.identity_key.hex()
    _ = (folder / "node.toml").write_text(NODE_TOML.format(endpoint=endpoint, trust=trust))
    _ = roll.add(
        lambda _: [roll.issuer.node(keys, "sn1.isp-a", endpoints=(endpoint,), services=(16, 17))]
    )


def rtts(answer: dict[str, object]) -> list[float]:
    found = answer["rtts_s"]
    assert isinstance(found, list)
    return found


def test_hosts_ping_each_other_and_their_node(place: Place) -> None:
    assert len(rtts(place.ask("alice", "ping", to="bob.isp-a", count=20))) == 20
    assert len(rtts(place.ask("bob", "ping", to="alice.isp-a", count=20))) == 20
    assert len(rtts(place.ask("alice", "ask", service=17, count=20))) == 20


def test_a_traced_packet_is_found_at_the_node(place: Place) -> None:
    found = place.ask("alice", "ping", to="bob.isp-a", is_traced=True)

    traces = place.ask("sn1", "traces", source="alice.isp-a", connection=found["connection"])
    traced = traces["traces"]
    assert isinstance(traced, list)
    assert {trace["to"] for trace in traced} >= {"bob.isp-a"}


def test_a_file_crosses_with_its_hash(place: Place) -> None:
    data = os.urandom(5_000_000)
    _ = (place.folder / "sent").write_bytes(data)
    received: list[dict[str, object]] = []
    thread = Thread(
        target=lambda: received.append(
            place.ask("bob", "receive_file", path=str(place.folder / "got"))
        )
    )
    thread.start()

    # Until bob listens, the stream is refused.
    place.wait_until(
        lambda: place.ask("alice", "send_file", to="bob.isp-a", path=str(place.folder / "sent"))
    )
    thread.join()

    assert received[0]["sha256"] == hashlib.sha256(data).hexdigest()
    assert received[0]["peer"] == "alice.isp-a"
    assert (place.folder / "got").read_bytes() == data


def test_datagrams_go_on_while_their_service_is_restarted(place: Place) -> None:
    _ = place.ask("bob", "collect", name="x", port=9)
    _ = place.ask("alice", "ping", to="bob.isp-a", count=3)
    before = place.workers()["delivery"]

    _ = place.ask("sn1", "kill_worker", service="delivery")
    sent = place.ask("alice", "send_datagrams", to="bob.isp-a", port=9, count=500, rate_pps=1_000)
    place.wait_until(lambda: place.workers()["delivery"] not in (0, before))

    collected = place.ask("bob", "collected", name="x")
    assert sent["sent"] == 500
    # Decisions outlive the worker that made them.
    assert collected["distinct"] == 500


def test_a_worker_that_hangs_is_killed_and_replaced(place: Place) -> None:
    before = place.workers()["echo"]
    os.kill(before, SIGSTOP)

    answered = place.ask("alice", "ask", service=17, count=1, deadline_s=5.0)
    place.wait_until(lambda: place.workers()["echo"] not in (0, before))

    # What was handed to it is lost; what still waited for it is answered by its successor.
    assert all(rtt_s > 1 for rtt_s in rtts(answered))
    assert "worker slow" in place.logs()
    assert len(rtts(place.ask("alice", "ask", service=17, count=3))) == 3


def test_a_program_without_asyncio_talks_as_well(place: Place) -> None:
    with ei.connect(place.folder / "carol" / "host.toml") as carol:
        assert carol.name == "carol.isp-a"
        assert carol.status().summary == "carol.isp-a: 1 of 1 nodes up, using sn1.isp-a"
        assert carol.ping("bob.isp-a") < 2
        with carol.call(17, metadata=b"m") as echo:
            assert echo.ask(b"hello").payload == b"hello"
            assert echo.send(b"traced", is_traced=True) == 1
            assert echo.receive().payload == b"traced"
            assert (echo.fate().outcome, echo.fate().by) == ("accepted", "sn1.isp-a")
        with carol.datagrams() as mine:
            assert mine.send("bob.isp-a", b"x", port=8).outcome == "dropped"
            assert mine.try_send(carol.address, b"to myself")
            assert mine.receive().data == b"to myself"
        with carol.datagrams(confirms=True) as kept, carol.datagrams() as mine:
            with ThreadPoolExecutor() as pool:
                sending = pool.submit(mine.send, carol.address, b"x", port=kept.port)
                kept.confirm(kept.receive())
            assert sending.result().outcome == "durable"
        with carol.accept_streams(80) as listener:
            near = carol.open_stream("bob.isp-a", 99)
            with pytest.raises(StreamError):
                _ = near.read(deadline_s=5)
            with pytest.raises(DeadlineError):
                _ = listener.accept(deadline_s=0.05)

    with pytest.raises(LocalError, match="the host is closed"):
        _ = carol.ping("bob.isp-a")


def test_a17_a_revoked_host_is_cut_as_soon_as_its_node_reads_the_records_again(
    own_place: Place,
) -> None:
    issuer = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=0)
    bob = make_keys(b"bob".ljust(32))
    assert len(rtts(own_place.ask("alice", "ping", to="bob.isp-a"))) == 1

    roll = Roll(issuer, own_place.folder / "records.eir", unix_s=time.time())
    _ = roll.revoke([bob.identity_key])
    refused = own_place.ask("sn1", "reload")["refused"]
    assert own_place.ask("alice", "reload") == {"schema": "ei.done/1"}

    # What it has seen it knows at its next start, whatever the file says then.
    assert len(read_records(own_place.folder / "alice" / "seen.eir")) == 1
    assert refused == {}  # the file has no record of the key any more
    node = own_place.ask("sn1", "status")["node"]
    assert isinstance(node, dict)
    assert [peer["name"] for peer in node["peers"]] == ["alice.isp-a", "carol.isp-a"]
    with pytest.raises(NotFoundError, match=r"no record of bob\.isp-a: its domain says"):
        _ = own_place.ask("alice", "ping", to="bob.isp-a")


def test_a_host_ends_on_a_signal_and_leaves_no_socket(own_place: Place) -> None:
    assert own_place.signal("alice") == 0

    assert not (own_place.folder / "alice" / "admin.sock").exists()


def test_all_end_with_their_supervisor(own_place: Place) -> None:
    assert own_place.end() == {"sn1": 0, "alice": 0, "bob": 0}


def test_a_host_that_finds_its_nodes_by_the_dns_moves_when_it_says_so(own_place: Place) -> None:
    folder = own_place.folder
    issuer = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=int(time.time()) + 86_400)
    gone = issuer.node(make_keys(b"m" * 32), "sn2.isp-a", endpoints=("127.0.0.1:9",), services=())
    _ = Roll(issuer, folder / "records.eir", unix_s=time.time()).add(lambda _: [gone])
    endpoint = str(own_place.ask("sn1", "status")["endpoints"][0])  # type: ignore[index]
    records: Zone = {
        (SERVICE, "SRV"): ["10 10 9 sn2.isp-a.example."],
        ("sn2.isp-a.example.", "A"): ["127.0.0.1"],
        ("sn1.isp-a.example.", "A"): [endpoint.partition(":")[0]],
    }

    with resolver(zone(records)) as at:
        toml = folder / "carol" / "host.toml"
        asks = f'dns_domain = "{ZONE}"\nresolvers = ["{at}"]\n[trust]'
        _ = toml.write_text(toml.read_text().replace("[trust]", asks))
        own_place.start("carol", "host")
        own_place.wait_until(lambda: nodes_of(own_place, "carol") == ["sn2.isp-a"])
        records[SERVICE, "SRV"] = ["10 10 3535 sn1.isp-a.example."]

        _ = own_place.ask("carol", "reload")

        own_place.wait_until(lambda: own_place.is_up("carol"))
    assert nodes_of(own_place, "carol") == ["sn1.isp-a"]
    assert "other nodes by the DNS" in own_place.logs()


def nodes_of(place: Place, name: str) -> list[str]:
    """Return the nodes that a host attaches to."""
    attachments = place.ask(name, "status")["attachments"]
    assert isinstance(attachments, list)
    return [each["node"] for each in attachments]


def test_the_records_of_all_verify(place: Place) -> None:
    assert len(read_records(place.folder / "records.eir")) == 8
