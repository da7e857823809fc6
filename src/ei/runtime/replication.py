"""The replica of a worker: on its disk, and in touch with its member over a socket.

    environment ── ReplicatedStore ── Replication ── Replica ── log on disk
                                          │
                                          └── socket ── the member's daemon ── pipes ── others

One thread does all of it. While a batch is being committed, messages of the other members are
taken and nothing else is; whoever waits for another batch waits until that is over.
"""

import select
import socket
from collections.abc import Callable
from math import ceil

from msgspec import structs

from ei.cluster.copies import BEAT_S
from ei.cluster.keeper import Standing
from ei.cluster.link import Frames, Hear, Resign, Say, See, Stand, downs, encode_frame
from ei.cluster.messages import Assembly, encode_message
from ei.cluster.owner import Outgoing
from ei.cluster.ownership import Ownership
from ei.cluster.replica import Replica
from ei.cluster.writes import Writes
from ei.errors import LocalError, PeerError
from ei.runtime.stores.transactions import RefusedError
from ei.sdk.packets import Address

COMMIT_LIMIT_S = 1.5
"""Less than the datapath waits for a batch before it takes the worker for hung."""

RECEIVED_BYTES = 256 * 1024


class Replication:
    """Keeps one replica going.

    Args:
        replica: Freshly made.
        link: Stream socket to the member's daemon.
        clock: Monotonic, and going on while the machine sleeps: leases rest on it.
    """

    def __init__(self, replica: Replica, link: socket.socket, clock: Callable[[], float]) -> None:
        self._replica = replica
        self._link = link
        self._clock = clock
        self._frames = Frames()
        self._assemblies: dict[Address, Assembly] = {}
        self._record: Ownership | None = None
        self._said: Stand | None = None
        self._tick_s = clock()
        self.is_in_doubt = False
        self._failure: LocalError | None = None

    def __repr__(self) -> str:
        return f"<Replication of {self._replica}>"

    def fileno(self) -> int:
        """Return the descriptor that is readable while messages wait."""
        return self._link.fileno()

    @property
    def is_ready(self) -> bool:
        """Whether this member owns the state, and nothing of it is in doubt."""
        return self._replica.is_serving and not self._replica.has_pending

    @property
    def epoch(self) -> int:
        """The newest that is known."""
        return self._replica.epoch

    def timeout_s(self) -> float:
        """Return how long until `turn` has something to do, if no message comes."""
        return max(0.0, self._tick_s + BEAT_S - self._clock())

    def turn(self) -> None:
        """Take what has come, and do what time asks for.

        Raises:
            ConnectionError: the member is gone.
            LocalError: the disk failed, now or in a commit: another member is to own the state.
        """
        if self._failure is not None:
            raise self._failure
        while self._poll(0.0):
            self._take()
        now_s = self._clock()
        is_tick = now_s >= self._tick_s + BEAT_S
        if is_tick:
            self._tick_s = now_s
            self._send(self._replica.tick(now_s))
        self._tell(is_tick=is_tick)

    # -- for the store --------------------------------------------------------------------------

    def commit(self, writes: Writes) -> None:
        """Return when all of the in-sync set has this; see `Commits`."""
        if word := self._replica.why_refused(self._clock()):
            raise RefusedError(_WHY[word], word=word)
        try:
            self._send(self._replica.write(writes, self._clock()))
            # While the others write it, so does this one.
            self._replica.sync()
        except LocalError as error:
            self._failure = error
            raise
        index, epoch = self._replica.log.last.index, self._replica.epoch

        def is_done() -> bool:
            return self._replica.committed >= index

        self._wait(is_done, epoch, "a write has not reached all of the in-sync set")

    def confirm(self) -> None:
        """Return when it is sure that nobody else owns the state yet; see `Commits`."""
        if self._replica.is_current(self._clock()):
            return
        self._send(self._replica.confirm(self._clock()))
        self._wait(
            lambda: self._replica.is_current(self._clock()),
            self._replica.epoch,
            "not all of the in-sync set has answered",
        )

    # -- the parts ------------------------------------------------------------------------------

    def _wait(self, is_done: Callable[[], bool], epoch: int, what: str) -> None:
        until_s = self._clock() + COMMIT_LIMIT_S
        while not is_done():
            if self._replica.epoch != epoch or not self._replica.is_serving:
                self.is_in_doubt = True
                raise RefusedError(_WHY["not_owner"], word="not_owner")
            if self._clock() >= until_s:
                self.is_in_doubt = True
                raise RefusedError(
                    f"{what} for {COMMIT_LIMIT_S:g} s; it may be done yet", word="too_few_copies"
                )
            if self._poll(self.timeout_s()):
                self._take()
            self.turn()

    def _poll(self, timeout_s: float) -> bool:
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        return bool(poll.poll(ceil(timeout_s * 1_000)))

    def _take(self) -> None:
        received = self._link.recv(RECEIVED_BYTES)
        if not received:
            raise ConnectionResetError("the member's daemon is gone")
        for frame in self._frames.feed(received):
            match downs.decode(frame):
                case See(record=record, members=members, lost=lost):
                    self._see(record, members, lost)
                case Hear(sender=sender, message=message):
                    self._hear(sender, message)
                case Resign():
                    self._replica.resign()

    def _see(
        self, record: Ownership | None, members: frozenset[Address], lost: frozenset[Address]
    ) -> None:
        self._replica.lose(lost)
        if record is not None:
            self._record = record
            self._send(self._replica.see(record, members, self._clock()))

    def _hear(self, sender: Address, encoded: bytes) -> None:
        assembly = self._assemblies.setdefault(sender, Assembly())
        try:
            message = assembly.take(encoded)
        except PeerError:
            return  # a member of another version; the owner takes its silence for what it is
        if message is not None:
            self._send(self._replica.take(sender, message, self._clock()))

    def _send(self, outgoing: Outgoing) -> None:
        for to, message in outgoing:
            for part in encode_message(message):
                self._link.sendall(encode_frame(Say(to, part)))

    def _tell(self, *, is_tick: bool) -> None:
        """Tell the member how the replica stands: what it acts on at once, the rest by and by."""
        replica, now_s = self._replica, self._clock()
        status = replica.status()
        standing = Standing(
            0 if self._record is None else self._record.revision,
            replica.epoch,
            replica.role,
            replica.log.is_whole,
            replica.log.is_new,
            replica.ask(now_s),
            replica.is_serving,
            replica.log.last.index,
        )
        said = Stand(standing, status.copies, status.refused)
        before = self._said
        if said == before:
            return
        index = 0 if before is None else before.standing.index
        is_urgent = before is None or before.standing != structs.replace(standing, index=index)
        if is_urgent or is_tick:
            self._said = said
            self._link.sendall(encode_frame(said))


_WHY = {
    "not_owner": "another member owns the state",
    "too_few_copies": "fewer members have the state than must have what is acknowledged",
}
