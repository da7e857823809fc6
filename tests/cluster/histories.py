"""Histories of clients of a cluster while it is beset: made from a seed, for a checker to judge."""

from collections.abc import Callable
from random import Random

from tests.cluster.world import CLIENT_LIMIT_S, Member, Request, World

from ei.cluster.replica import Replica
from ei.lab.histories import Operation

KEYS = ("x", "y")
SET = "set"


class Client:
    """Asks for one thing after the other, of the member that served last."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._number = number
        self._count = 0
        self._member = number % len(world.members)
        self._is_stopped = False
        world.at(0.05, self._next)

    def stop(self) -> None:
        self._is_stopped = True

    def _next(self) -> None:
        if self._is_stopped:
            return
        randomness = self._world.randomness
        self._count += 1
        value = f"{self._number}.{self._count}"
        kind = randomness.choice(["write", "read", "write", "read", "add"])
        key = SET if kind == "add" else randomness.choice(KEYS)
        ask(self._world, self._member, kind, key, value, self._ended)

    def _ended(self, outcome: str) -> None:
        if outcome != "done":
            self._member = (self._member + 1) % len(self._world.members)
        self._world.at(self._world.randomness.uniform(0.005, 0.04), self._next)


def ask(  # noqa: PLR0913, PLR0917
    world: World, at: int, kind: str, key: str, value: str, ended: Callable[[str], None]
) -> None:
    """Ask a member for something; what comes of it goes to the history, and to `ended`."""
    began_s = world.now_s
    is_over = False

    def over(outcome: str, found: str | None = None, seen: frozenset[str] = frozenset()) -> None:
        nonlocal is_over
        if is_over:
            return
        is_over = True
        kept = value if kind in {"write", "add"} else found
        world.history.append(
            Operation(kind, key, kept, began_s, world.now_s, outcome, seen)  # type: ignore[arg-type]
        )
        ended(outcome)

    request = Request(
        kind,
        key,
        value,
        lambda *said: world.at(world.randomness.uniform(0, 0.002), lambda: over(*said)),
    )
    member = world.members[at]
    world.at(0.001, lambda: member.when_awake(lambda: member.ask(request)))
    world.at(CLIENT_LIMIT_S, lambda: over("unknown"))


class Nemesis:
    """Does harm at random, and puts some of it right again."""

    def __init__(self, world: World, *, faults: tuple[str, ...]) -> None:
        self._world = world
        self._faults = faults
        self._is_stopped = False
        world.at(0.5, self._strike)

    def stop(self) -> None:
        self._is_stopped = True
        self._world.heal()

    def _strike(self) -> None:
        if self._is_stopped:
            return
        world, randomness = self._world, self._world.randomness
        member = randomness.choice(world.members)
        if randomness.random() < 0.5:
            member = world.owner() or member
        for_s = randomness.uniform(0.05, 1.2)
        getattr(self, randomness.choice(self._faults))(member, for_s, randomness)
        world.at(randomness.uniform(0.05, 0.8), self._strike)

    def crash(self, member: Member, for_s: float, randomness: Random) -> None:
        member.crash()
        life = member.life
        self._world.at(for_s, lambda: member.start_again(life))

    def freeze(self, member: Member, for_s: float, randomness: Random) -> None:
        if not member.is_frozen:
            member.freeze()
            life = member.life
            self._world.at(for_s, lambda: member.thaw() if member.life == life else None)

    def cut(self, member: Member, for_s: float, randomness: Random) -> None:
        others = [each.number for each in self._world.members if each is not member]
        pairs = [(member.number, other) for other in others if randomness.random() < 0.7]
        if randomness.random() < 0.6:  # else from one side only
            pairs += [(b, a) for a, b in pairs]
        self._world.cut.update(pairs)
        self._world.at(for_s, lambda: self._world.cut.difference_update(pairs))

    def lose(self, member: Member, for_s: float, randomness: Random) -> None:
        self._world.loss = randomness.uniform(0.05, 0.4)
        self._world.at(for_s, lambda: setattr(self._world, "loss", 0.0))

    def fill(self, member: Member, for_s: float, randomness: Random) -> None:
        member.disk.is_full = True
        self._world.at(for_s, lambda: setattr(member.disk, "is_full", False))

    def rot(self, member: Member, for_s: float, randomness: Random) -> None:
        """Spoil the disk of one member, while all three have everything."""
        record = self._world.etcd.record
        is_whole = all(
            each.replica is not None and each.replica.log.is_whole for each in self._world.members
        )
        if record is None or len(record.in_sync) < len(self._world.members) or not is_whole:
            return
        self.crash(member, for_s, randomness)
        if randomness.random() < 0.3:
            member.disk.wipe()
            return
        for name in randomness.choice([["log"], ["snapshot"], ["log", "snapshot"]]):
            if length := member.disk.length(name):
                member.disk.flip(name, randomness.randrange(length), randomness.randrange(8))

    def quorum(self, member: Member, for_s: float, randomness: Random) -> None:
        self._world.etcd.is_up = False
        self._world.at(for_s, lambda: setattr(self._world.etcd, "is_up", True))

    def doubt(self, member: Member, for_s: float, randomness: Random) -> None:
        self._world.etcd.doubt = 0.5
        self._world.at(for_s, lambda: setattr(self._world.etcd, "doubt", 0.0))


ROT = ("rot",)
FAULTS = ("crash", "crash", "freeze", "freeze", "cut", "cut", "lose", "fill", "quorum", "doubt")


def make_history(  # noqa: PLR0913
    seed: int,
    *,
    faults: tuple[str, ...] = FAULTS,
    seconds: float = 6.0,
    clients: int = 4,
    copies: int = 2,
    replica: type[Replica] = Replica,
    prepare: Callable[[World], object] = str,
) -> World:
    """Run a cluster with clients and faults, heal it, and read all that it kept."""
    world = World(seed, replica=replica, copies=copies)
    prepare(world)
    _ = world.run_until(lambda: world.owner() is not None)
    busy = [Client(world, number) for number in range(clients)]
    nemesis = Nemesis(world, faults=faults)
    world.run(seconds)
    nemesis.stop()
    for client in busy:
        client.stop()
    world.run(CLIENT_LIMIT_S + 0.1)
    read_all(world)
    return world


def read_all(world: World) -> None:
    """Read every register and set once more, of whoever serves."""
    for kind, key in [*(("read", key) for key in KEYS), ("list", SET)]:
        outcomes: list[str] = []

        def again(kind: str = kind, key: str = key, outcomes: list[str] = outcomes) -> None:
            owner = world.owner()
            if owner is None:
                world.at(0.05, again)
                return

            def ended(outcome: str) -> None:
                if outcome == "done":
                    outcomes.append(outcome)
                else:
                    world.at(0.05, again)

            ask(world, owner.number - 1, kind, key, "", ended)

        again()
        _ = world.run_until(lambda outcomes=outcomes: bool(outcomes), limit_s=15.0)
