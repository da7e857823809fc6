"""`changes`: how soon the users of 10,000 records know that these have changed, within one minute.

Two real nodes are the directories of two domains. This process plays a node of each: one hands over
what the hosts of its domain have signed, the other uses all of it in the other domain:

    feed.isp-b -> sn.isp-b (keeps it on disk) -> sn.isp-a -> user.isp-a
"""

import select
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ei._core import Datapath, Socket
from ei.bench.children import Child, python
from ei.bench.figures import Figure, figure
from ei.bench.latency import quantile
from ei.bench.network import loopback
from ei.directory import DIRECTORY, Attached
from ei.directory.messages import MAX_LEASE_S, Answer, Ask, Message, Register, decode, encode
from ei.errors import LocalError
from ei.records.issuer import Issuer
from ei.records.key_files import write_keys
from ei.records.keys import Keys, make_keys
from ei.records.record_files import write_records
from ei.sdk.packets import Address

RECORDS = 10_000
SECONDS = 60.0
LIMIT_MS = 1_000.0
WINDOW = 256
"""Questions under way, while all are asked for."""

UP_LIMIT_S = 40.0
LAST_WORD_S = 5.0
LIFE_S = 3_000
DOMAINS = {"isp-a": 1, "isp-b": 2}
REAL = ("sn.isp-a", "sn.isp-b")
PLAYED = ("feed.isp-b", "user.isp-a")


def changes(*, runs: int) -> Iterator[Figure]:
    """Measure once, whatever `runs` says: it takes more than a minute."""
    del runs
    yield sum_up(run_changes(records=RECORDS, seconds=SECONDS), records=RECORDS)


def sum_up(took_ms: list[float], *, records: int) -> Figure:
    """Return the figure of the changes that were heard of; invalid when one was not."""
    lost = records - len(took_ms)
    slowest = f"slowest {max(took_ms):.0f} ms" if took_ms else ""
    return figure(
        f"directory, {records:,} records changed in a minute, p99",
        [quantile(took_ms, 0.99)] if took_ms else [],
        unit="ms",
        limit=LIMIT_MS,
        invalid=f"{lost} of {records} changes were never heard of" if lost else "",
        note=f"through two nodes, each kept on disk by the first; {slowest}",
    )


def run_changes(*, records: int, seconds: float) -> list[float]:
    """Return how long each change took to be known, milliseconds.

    Raises:
        LocalError: a node did not start, or does not answer.
    """
    with _open_world(records) as world:
        world.learn_all()
        for number in range(records):
            world.change(number)
            world.pump_until(world.started_s + (number + 1) * seconds / records)
        world.pump_until(time.monotonic() + LAST_WORD_S, unless=lambda: not world.missing)
        return world.took_ms


class PlayedNode:
    """A node that this process plays.

    Args:
        to: The real node that it has a pipe with, and that one's pipe key and endpoint.
    """

    def __init__(
        self, keys: Keys, address: Address, bind: str, to: tuple[Address, bytes, str]
    ) -> None:
        self.to, key, endpoint = to
        self.datapath = Datapath(
            role="node",
            address=address,
            private_key=keys.pipe_secret,
            unix_offset_ns=time.time_ns() - time.monotonic_ns(),
        )
        self.socket = Socket(bind)
        self.datapath.add_peer(self.to, key, kind="node", endpoint=endpoint)
        self.is_up = False

    def say(self, message: Message) -> None:
        """Send to the real node."""
        self.datapath.send_control(time.monotonic_ns(), self.to, DIRECTORY, encode(message))
        _ = self.socket.flush(self.datapath)

    def pump(self) -> list[Message]:
        """Receive, do what is due, send; return what the real node's directory said."""
        now_ns = time.monotonic_ns()
        _ = self.socket.receive(self.datapath, now_ns)
        self.datapath.poll(now_ns)
        heard: list[Message] = []
        for notice in self.datapath.take_notices():
            match notice:
                case ("peer_up", _):
                    self.is_up = True
                case ("control", _, service, message) if service == DIRECTORY:
                    heard.append(decode(message))
                case _:
                    pass
        _ = self.socket.flush(self.datapath)
        return heard

    def wait_s(self) -> float:
        """Seconds until something is due, at most 0.1."""
        deadline_ns = self.datapath.next_deadline_ns()
        if deadline_ns is None:
            return 0.1
        return min(max(deadline_ns - time.monotonic_ns(), 0) / 1e9, 0.1)


@dataclass(slots=True)
class ChangingWorld:
    """Both played nodes, and the attachments of all hosts, before and after.

    Attributes:
        missing: Hosts of which something is awaited: since when, and what; `None` is anything.
        took_ms: Of the changes that were.
    """

    feed: PlayedNode
    user: PlayedNode
    hosts: list[Address]
    after: list[bytes]
    started_s: float = 0.0
    missing: dict[Address, tuple[float, bytes | None]] = field(
        default_factory=dict[Address, tuple[float, bytes | None]]
    )
    took_ms: list[float] = field(default_factory=list[float])

    def is_up_by(self, ends_s: float, node: PlayedNode) -> bool:
        """Return whether the pipe of a node came up by then."""
        self.pump_until(ends_s, unless=lambda: node.is_up)
        return node.is_up

    def learn_all(self) -> None:
        """Ask for every host, a few at a time.

        Raises:
            LocalError: not all were answered.
        """
        ends_s = time.monotonic() + UP_LIMIT_S
        for host in self.hosts:
            self.missing[host] = time.monotonic(), None
            self.user.say(Ask(Attached(host), MAX_LEASE_S))
            self.pump_until(ends_s, unless=lambda: len(self.missing) < WINDOW)
        self.pump_until(ends_s, unless=lambda: not self.missing)
        if self.missing:
            raise LocalError(f"{len(self.missing)} questions without an answer")
        self.took_ms.clear()
        self.started_s = time.monotonic()

    def change(self, number: int) -> None:
        """Have a host be attached elsewhere."""
        self.missing[self.hosts[number]] = time.monotonic(), self.after[number]
        self.feed.say(Register(self.after[number]))

    def pump_until(self, ends_s: float, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Let both nodes go on until then, or until `unless` is so."""
        nodes = (self.feed, self.user)
        while not unless() and (left_s := ends_s - time.monotonic()) > 0:
            wait_s = min(left_s, *(node.wait_s() for node in nodes))
            _ = select.select([node.socket.fileno() for node in nodes], [], [], wait_s)
            _ = self.feed.pump()
            for message in self.user.pump():
                if isinstance(message, Answer):
                    self._hear(message)

    def _hear(self, answer: Answer) -> None:
        if isinstance(answer.query, Attached):
            host = Address(answer.query.host)
            since_s, expected = self.missing.get(host, (0.0, b""))
            if expected in (None, answer.envelopes[-1]):
                del self.missing[host]
                self.took_ms.append((time.monotonic() - since_s) * 1e3)


@contextmanager
def _open_world(records: int) -> Generator[ChangingWorld]:
    folder = Path(tempfile.mkdtemp(prefix="ei-bench-"))
    try:
        with ExitStack() as stack:
            world = _write(folder, records)
            for name in REAL:
                config = folder / name / "node.toml"
                command = python("ei", "node", "run", "--config", str(config))
                child = Child(name, command, cpu=None, log=folder / f"{name}.log")
                _ = stack.enter_context(child)
                _ = stack.callback(child.terminate)
            ends_s = time.monotonic() + UP_LIMIT_S
            for node in (world.feed, world.user):
                node.datapath.dial(time.monotonic_ns(), node.to)
                if not world.is_up_by(ends_s, node):
                    raise LocalError("a node of the directory does not answer")
            yield world
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, records: int) -> ChangingWorld:
    """Write the files of both real nodes."""
    unix_s = int(time.time())
    issuers = {
        name: Issuer(name, number, make_keys(f"bench {name}".encode() * 4), unix_s + LIFE_S)
        for name, number in DOMAINS.items()
    }
    ends = {name: loopback().node_bind for name in (*REAL, *PLAYED)}
    keys = {name: make_keys(f"bench node {name}".encode() * 2) for name in ends}
    at = {name: keys[name].address(DOMAINS[name.partition(".")[2]]) for name in ends}
    public = [
        issuer.domain(directories=(at[f"sn.{name}"],)) for name, issuer in issuers.items()
    ] + [
        issuers[name.partition(".")[2]].node(keys[name], name, endpoints=(end,), services=())
        for name, end in ends.items()
    ]
    hosts = [make_keys(f"bench host {number:32}".encode()) for number in range(records)]
    home = issuers["isp-b"]
    before, after = (
        [home.attach(host, nodes=(at[node],), sequence=sequence) for host in hosts]
        for sequence, node in enumerate(REAL, start=1)
    )
    enrolled = [home.enrol(host, f"h{number}.isp-b") for number, host in enumerate(hosts)]
    for name, private in zip(REAL, ([], [*enrolled, *before]), strict=True):
        (folder / name).mkdir()
        write_keys(folder / name / "key", keys[name])
        write_records(folder / name / "records.eir", [*public, *private])
        _ = (folder / name / "node.toml").write_text(_node_toml(name, ends[name], issuers))
    feed, user = (
        PlayedNode(keys[name], at[name], ends[name], (at[to], keys[to].pipe_key, ends[to]))
        for name, to in zip(PLAYED, REAL[::-1], strict=True)
    )
    return ChangingWorld(feed, user, [host.address(home.number) for host in hosts], after)


def _node_toml(name: str, bind: str, issuers: Mapping[str, Issuer]) -> str:
    trust = [f'{domain} = "{issuer.keys.identity_key.hex()}"' for domain, issuer in issuers.items()]
    return "\n".join(
        [
            "version = 1",
            f'name = "{name}"',
            f"domain_number = {DOMAINS[name.partition('.')[2]]}",
            f'binds = ["{bind}"]',
            "services = []",
            "[trust]",
            *trust,
        ]
    )
