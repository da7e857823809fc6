"""A cluster in virtual time: members with real replicas, an etcd, disks, links and clients, seeded.

All that can go wrong does: members crash, lose what they had not synced, and freeze; links lose,
delay and are cut; clocks run at different speeds; disks are full; etcd loses its quorum, or does
what it was asked and does not say so.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.cluster.disks import FakeDisk

from ei.cluster.copies import BEAT_S
from ei.cluster.keeper import Standing, decide
from ei.cluster.log import Log
from ei.cluster.messages import Assembly, encode_message
from ei.cluster.owner import Outgoing
from ei.cluster.ownership import Ownership
from ei.cluster.replica import Replica
from ei.cluster.writes import Rows, Writes
from ei.errors import LimitError, LocalError
from ei.lab.histories import Operation
from ei.sdk.packets import Address

SERVICE = 200
COMMIT_LIMIT_S = 1.0
POLL_S = 0.1
LOST_S = 3 * BEAT_S
CLIENT_LIMIT_S = 1.5


def address(number: int) -> Address:
    return Address(b"\xfd\x35" + number.to_bytes(14, "big"))


class World:
    """Virtual time and everything in it."""

    def __init__(
        self, seed: int, *, members: int = 3, copies: int = 2, replica: type[Replica] = Replica
    ) -> None:
        self.randomness = Random(seed)
        self.now_s = 0.0
        self.copies = copies
        self.replica = replica
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.etcd = FakeEtcd(self)
        self.cut: set[tuple[int, int]] = set()
        self.loss = 0.0
        self.members = [Member(self, number) for number in range(1, members + 1)]
        self.roster = frozenset(member.me for member in self.members)
        self.history: list[Operation] = []
        for member in self.members:
            member.start()

    def at(self, delay_s: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now_s + delay_s, self._count, act))

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self._events and self._events[0][0] <= end_s:
            self.now_s, _, act = heapq.heappop(self._events)
            act()
        self.now_s = end_s

    def run_until(self, is_so: Callable[[], bool], *, limit_s: float = 10.0) -> float:
        began_s = self.now_s
        while not is_so():
            if self.now_s - began_s >= limit_s:
                raise AssertionError(f"not so after {limit_s} s: {self.members}")
            self.run(0.01)
        return self.now_s - began_s

    def owner(self) -> "Member | None":
        serving = [member for member in self.members if member.is_serving]
        return max(serving, key=lambda each: each.epoch, default=None)

    def link(self, sender: int, receiver: int) -> bool:
        return (sender, receiver) not in self.cut

    def heal(self) -> None:
        self.cut.clear()
        self.loss = 0.0
        self.etcd.is_up = True
        self.etcd.doubt = 0.0
        for member in self.members:
            member.disk.is_full = False
            if member.is_frozen:
                member.thaw()
            if member.replica is None:
                member.start()


class FakeEtcd:
    """One key, with revisions: what a transaction does, it does as a whole."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.record: Ownership | None = None
        self.is_up = True
        self.doubt = 0.0
        self._revision = 0
        self.seen: list[Ownership] = []

    def read(self, answer: Callable[[Ownership | None], None]) -> None:
        self._ask(lambda: answer(self.record))

    def change(self, wanted: Ownership, done: Callable[[Ownership | None], None]) -> None:
        def act() -> None:
            have = 0 if self.record is None else self.record.revision
            if have == wanted.revision:
                self._revision += 1
                self.record = Ownership(wanted.epoch, wanted.owner, wanted.in_sync, self._revision)
                self.seen.append(self.record)
            if self._world.randomness.random() >= self.doubt:
                done(self.record)

        self._ask(act)

    def _ask(self, act: Callable[[], None]) -> None:
        if self.is_up:
            self._world.at(self._world.randomness.uniform(0.001, 0.01), act)


@dataclass(slots=True)
class Request:
    """What a client asks a member, and how it hears of the outcome."""

    kind: str
    key: str
    value: str | None
    answer: Callable[[str, str | None, frozenset[str]], None]
    until_s: float = 0.0
    index: int = 0
    epoch: int = 0
    found: tuple[bytes, float] | None = None


@dataclass(slots=True)
class Worker:
    """What dies with a process."""

    replica: Replica
    rows: Rows
    assemblies: dict[Address, Assembly] = field(default_factory=dict[Address, Assembly])
    queue: list[Request] = field(default_factory=list[Request])
    busy: Request | None = None


class Member:
    """Daemon and worker of one member."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self.number = number
        self.me = address(number)
        self.disk = FakeDisk(Random(world.randomness.random()))
        self.rate = world.randomness.uniform(0.92, 1.08)
        self.offset_s = world.randomness.uniform(0, 1000)
        self.is_frozen = False
        self.life = 0
        self.worker: Worker | None = None
        self.revision = 0
        self.record: Ownership | None = None
        self.heard_s: dict[Address, float] = {}
        self._frozen: list[Callable[[], None]] = []
        self.failures: list[str] = []

    def __repr__(self) -> str:
        state = "frozen" if self.is_frozen else repr(self.replica)
        return f"<Member {self.number} {state} {self.failures[-1:]}>"

    @property
    def replica(self) -> Replica | None:
        return None if self.worker is None else self.worker.replica

    @property
    def epoch(self) -> int:
        return 0 if self.replica is None else self.replica.epoch

    @property
    def is_serving(self) -> bool:
        return not self.is_frozen and self.replica is not None and self.replica.is_serving

    def clock_s(self) -> float:
        return self.offset_s + self._world.now_s * self.rate

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        self.life += 1
        rows = Rows()
        try:
            log = Log(self.disk, rows, rotate_bytes=2_000, kept_entries=4)
        except LimitError as error:
            self.failures.append(str(error))
            life = self.life
            self._world.at(0.3, lambda: self.start_again(life))
            return
        replica = self._world.replica(
            SERVICE,
            self.me,
            log=log,
            copies=self._world.copies,
            start=self._world.randomness.randrange(1, 2**63),
            now_s=self.clock_s(),
        )
        self.worker = Worker(replica, rows)
        self.revision, self.record = 0, None
        self.heard_s = {}
        life = self.life
        self._later(self._world.randomness.uniform(0, BEAT_S), lambda: self._tick(life))
        self._later(self._world.randomness.uniform(0, POLL_S), lambda: self._poll(life))

    def crash(self) -> None:
        self.life += 1
        self.worker = None
        self.is_frozen = False
        self._frozen = []
        self.disk.crash()

    def freeze(self) -> None:
        self.is_frozen = True

    def thaw(self) -> None:
        self.is_frozen = False
        waiting, self._frozen = self._frozen, []
        for act in waiting:
            act()

    def start_again(self, life: int) -> None:
        if self.life == life and self.worker is None:
            self.start()

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        self._world.at(delay_s, lambda: self.when_awake(act))

    def when_awake(self, act: Callable[[], None]) -> None:
        if self.is_frozen:
            self._frozen.append(act)
        else:
            act()

    def _guarded(self, act: Callable[[Worker], None]) -> None:
        worker = self.worker
        if worker is None:
            return
        try:
            act(worker)
        except LocalError as error:
            # The worker ends, and is started again; what it had not synced may be lost.
            self.failures.append(str(error))
            self.crash()
            life = self.life
            self._world.at(0.05, lambda: self.start_again(life))

    # -- etcd and time ----------------------------------------------------------------------------

    def _lost(self) -> frozenset[Address]:
        now_s = self.clock_s()
        return frozenset(
            each
            for each in self._world.roster
            if each != self.me and now_s - self.heard_s.get(each, now_s - 0.1) > LOST_S
        )

    def _poll(self, life: int) -> None:
        if life != self.life:
            return
        self._world.etcd.read(lambda record: self.when_awake(lambda: self._see(life, record)))
        self._later(POLL_S, lambda: self._poll(life))

    def _see(self, life: int, record: Ownership | None) -> None:
        if life != self.life:
            return
        if record is not None:
            if record.revision < self.revision:
                return
            self.revision, self.record = record.revision, record

            def tell(worker: Worker) -> None:
                roster = self._world.roster
                self._send(worker.replica.see(record, roster, self.clock_s()))
                self._look(worker)

            self._guarded(tell)
        self._decide(life)

    def _decide(self, life: int) -> None:
        replica = self.replica
        if replica is None or life != self.life:
            return
        change = decide(
            self.me,
            self.record,
            members=self._world.roster,
            standing=Standing(
                self.revision,
                replica.epoch,
                replica.role,
                replica.log.is_whole,
                replica.log.is_new,
                replica.ask(self.clock_s()),
            ),
            lost=self._lost(),
            copies=self._world.copies,
        )
        if change is not None:
            self._world.etcd.change(
                change, lambda record: self.when_awake(lambda: self._see(life, record))
            )

    def _tick(self, life: int) -> None:
        if life != self.life:
            return
        for other in self._world.members:
            if other is not self:
                self._carry(other, lambda other=other: other.hear(self.me))

        def tick(worker: Worker) -> None:
            worker.replica.lose(self._lost())
            self._send(worker.replica.tick(self.clock_s()))
            self._look(worker)

        self._guarded(tick)
        self._decide(life)
        self._later(BEAT_S, lambda: self._tick(life))

    # -- messages ---------------------------------------------------------------------------------

    def hear(self, sender: Address) -> None:
        self.heard_s[sender] = self.clock_s()

    def _send(self, outgoing: Outgoing) -> None:
        for to, message in outgoing:
            other = next(each for each in self._world.members if each.me == to)
            for encoded in encode_message(message):
                self._carry(
                    other, lambda encoded=encoded, other=other: other.take(self.me, encoded)
                )

    def _carry(self, other: "Member", act: Callable[[], None]) -> None:
        world = self._world
        if not world.link(self.number, other.number) or world.randomness.random() < world.loss:
            return
        life = other.life
        world.at(
            world.randomness.uniform(0.0005, 0.004),
            lambda: other.when_awake(act) if other.life == life else None,
        )

    def take(self, sender: Address, encoded: bytes) -> None:
        def act(worker: Worker) -> None:
            assembly = worker.assemblies.setdefault(sender, Assembly())
            message = assembly.take(encoded)
            if message is not None:
                self._send(worker.replica.take(sender, message, self.clock_s()))
                self._look(worker)

        self._guarded(act)

    # -- the service ------------------------------------------------------------------------------

    def ask(self, request: Request) -> None:
        def act(worker: Worker) -> None:
            worker.queue.append(request)
            self._look(worker)

        self._guarded(act)

    def _look(self, worker: Worker) -> None:
        """Do what a worker does between two messages: end what is done, begin what waits."""
        replica, now_s = worker.replica, self.clock_s()
        if worker.busy is not None:
            request = worker.busy
            if request.kind in {"write", "add"}:
                is_done = replica.is_serving and replica.committed >= request.index
            else:
                is_done = replica.is_current(now_s)
            if is_done and replica.epoch == request.epoch:
                worker.busy = None
                self._answer(worker, request)
            elif replica.epoch != request.epoch or now_s > request.until_s:
                worker.busy = None  # whoever asked will not hear whether it was done
        while worker.busy is None and worker.queue:
            self._begin(worker, worker.queue.pop(0))

    def _begin(self, worker: Worker, request: Request) -> None:
        replica, now_s = worker.replica, self.clock_s()
        request.until_s = now_s + COMMIT_LIMIT_S
        request.epoch = replica.epoch
        if not replica.is_serving or replica.has_pending:
            request.answer("refused", None, frozenset())
            return
        if request.kind in {"read", "list"}:
            worker.busy = request
            request.found = worker.rows.get(request.key.encode())
            if not replica.is_current(now_s):
                self._send(replica.confirm(now_s))
            self._look(worker)
            return
        if replica.why_refused(now_s):
            request.answer("refused", None, frozenset())
            return
        value = (request.value or "").encode()
        if request.kind == "add":
            before = worker.rows.get(request.key.encode())
            value = b",".join([*(before[0].split(b",") if before else []), value])
        writes = Writes(self._world.now_s, [(request.key.encode(), value, float("inf"))], [])
        worker.busy = request
        self._send(replica.write(writes, now_s))
        replica.sync()
        request.index = replica.log.last.index
        self._look(worker)

    def _answer(self, worker: Worker, request: Request) -> None:
        row = request.found
        value = None if row is None else row[0].decode()
        members = frozenset((value or "").split(",")) - {""}
        request.answer("done", value, members)
