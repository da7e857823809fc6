"""Three replicas that hear one another at once, for tests of single steps."""

from random import Random

from tests.cluster.disks import FakeDisk
from tests.cluster.world import SERVICE, address

from ei.cluster.entries import Entry
from ei.cluster.log import Log
from ei.cluster.messages import Whole
from ei.cluster.owner import Outgoing
from ei.cluster.ownership import Ownership
from ei.cluster.replica import Replica
from ei.cluster.writes import Rows, Writes
from ei.sdk.packets import Address

ONE, TWO, THREE = (address(number) for number in (1, 2, 3))
ALL = frozenset({ONE, TWO, THREE})


class Trio:
    """Replicas by address, on one clock; `cut` are those that hear and say nothing."""

    def __init__(self, *, copies: int = 2) -> None:
        self.now_s = 100.0
        self.copies = copies
        self.disks = {each: FakeDisk(Random(1)) for each in sorted(ALL)}
        self.rows: dict[Address, Rows] = {}
        self.replicas: dict[Address, Replica] = {}
        self.cut: set[Address] = set()
        self.said: list[Whole] = []
        for each in sorted(ALL):
            self.start(each)

    def start(self, me: Address) -> Replica:
        self.rows[me] = Rows()
        log = Log(self.disks[me], self.rows[me], rotate_bytes=1_000, kept_entries=2)
        self.replicas[me] = Replica(
            SERVICE,
            me,
            log=log,
            copies=self.copies,
            start=len(self.said) + sum(map(ord, map(chr, me))) + 1,
            now_s=self.now_s,
        )
        self.now_s += 0.2  # what it may have promised before it started is over
        return self.replicas[me]

    def see(self, record: Ownership, members: frozenset[Address] = ALL) -> None:
        for me, replica in self.replicas.items():
            if me not in self.cut:
                self.carry(me, replica.see(record, members, self.now_s))

    def carry(self, sender: Address, outgoing: Outgoing) -> None:
        for to, message in outgoing:
            self.said.append(message)
            if sender not in self.cut and to not in self.cut:
                self.carry(to, self.replicas[to].take(sender, message, self.now_s))

    def tick(self, me: Address, seconds: float = 0.05) -> None:
        self.now_s += seconds
        self.carry(me, self.replicas[me].tick(self.now_s))

    def write(self, me: Address, key: bytes, value: bytes = b"v") -> int:
        writes = Writes(0.0, [(key, value, float("inf"))], [])
        replica = self.replicas[me]
        outgoing = replica.write(writes, self.now_s)
        replica.sync()
        self.carry(me, outgoing)
        return replica.log.last.index

    def begin(self) -> None:
        """Let the first own the state, with all three in sync."""
        self.see(Ownership(1, ONE, (ONE,), 1))
        self.tick(ONE)
        self.see(Ownership(1, ONE, (ONE, TWO, THREE), 2))


def bodies(entries: list[Entry]) -> list[bytes]:
    return [entry.body for entry in entries]
