"""A node as a member of its cluster: between etcd, the other members and its own replicas.

It reads etcd ten times a second and whenever something happens, tells the replicas what there is,
and changes there what `ei.cluster.keeper` decides. Without etcd, nothing changes and all goes on.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from ei.cluster.copies import CopyStatistics
from ei.cluster.keeper import decide
from ei.cluster.link import Hear, Resign, See
from ei.cluster.messages import decode_message
from ei.cluster.ownership import Ownership, encode_ownership
from ei.cluster.view import (
    NOTHING_SEEN,
    View,
    encode_live,
    encode_member,
    live_key,
    member_key,
    prefix_of,
    read_view,
    service_key,
)
from ei.daemons.log import Log
from ei.errors import EiError, NotFoundError, PeerError
from ei.node.cluster_config import ClusterConfig
from ei.node.cluster_status import ClusterStatus, CopyStatus, MemberStatus, ReplicaStatus
from ei.node.seats import Seat
from ei.sdk.packets import Address

POLL_S = 0.1
MEETING_S = 2.0
"""Members that were never met count as lost only when this node has run for so long."""

ResultT = TypeVar("ResultT")


class Keys(Protocol):
    """What a member asks of etcd; `ei.node.etcd.Etcd` is one."""

    def read(self, prefix: str) -> Sequence[tuple[str, bytes, int]]: ...
    def change(self, key: str, value: bytes, *, revision: int) -> bool: ...
    def put(self, key: str, value: bytes, *, lease: int = 0) -> None: ...
    def grant(self, ttl_s: int) -> int: ...
    def keep_alive(self, lease: int) -> bool: ...
    def revoke(self, lease: int) -> None: ...
    def close(self) -> None: ...


class Membership:
    """One node's membership.

    Args:
        me, name: Of this node.
        services: Number to name and copies of the services whose state is replicated.
        etcd: Blocks, and is asked from one thread at a time.
        send: Sends a control message of service 5; raises `ValueError` when it cannot.
        on_owners: Told who owns what, when that changes.
    """

    def __init__(  # noqa: PLR0913 all that it is between
        self,
        config: ClusterConfig,
        *,
        me: Address,
        name: str,
        services: Mapping[int, tuple[str, int]],
        etcd: Keys,
        send: Callable[[Address, bytes], object],
        on_owners: Callable[[Mapping[int, Address]], object],
        log: Log,
    ) -> None:
        self._config = config
        self._me = me
        self._name = name
        self._services = services
        self._etcd = etcd
        self._send = send
        self._on_owners = on_owners
        self._log = log
        self._view = NOTHING_SEEN
        self._problem = "not heard yet"
        self._up: set[Address] = set()
        self._met: set[Address] = set()
        self._owners: dict[int, Address] = {}
        self._seats = {number: Seat(self._say, self.poke) for number in services}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_poked = asyncio.Event()
        self._clock: Callable[[], float] = lambda: 0.0
        self._began_s = 0.0
        self._lease = 0
        self._alive_s = 0.0
        self._is_draining = False
        self._lock = asyncio.Lock()
        self._dropped: Counter[str] = Counter()

    def copies_of(self, service: int) -> int:
        """Return how many copies a service's state has; 0 when it is kept here alone."""
        return self._services[service][1] if service in self._services else 0

    def attach(self, service: int, link: socket.socket) -> None:
        """Take our end of the socket of a worker that was just started."""
        task = asyncio.get_running_loop().create_task(self._seats[service].open(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what happens -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Be a member until cancelled."""
        self._clock = asyncio.get_running_loop().time
        self._began_s = self._clock()
        _ = self._on_owners({})
        while True:
            self._is_poked.clear()
            await self._turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    _ = await self._is_poked.wait()

    def poke(self) -> None:
        """Look again at once."""
        self._is_poked.set()

    def peer_changed(self, peer: Address, *, is_up: bool) -> None:
        """Take it that a pipe came up or went down."""
        if is_up:
            self._up.add(peer)
            self._met.add(peer)
        else:
            self._up.discard(peer)
        if peer in self._view.members:
            self._tell_all()
            self.poke()

    def take(self, sender: Address, message: bytes) -> None:
        """Take a control message of service 5."""
        if sender not in self._view.members:
            self._dropped["no_member"] += 1
            return
        try:
            service = decode_message(message).service
        except PeerError:
            self._dropped["bad_message"] += 1
            return
        if service in self._seats:
            self._seats[service].tell(Hear(sender, message))

    def drain(self) -> None:
        """Own nothing any more; others take over what is owned here."""
        self._is_draining = True
        self.poke()

    @property
    def owned(self) -> int:
        """How many states this member owns."""
        return sum(
            record.owner == self._me
            for number, record in self._view.services.items()
            if number in self._services
        )

    def close(self) -> None:
        """Hang up on workers and etcd."""
        for seat in self._seats.values():
            seat.close()
        self._etcd.close()

    # -- what is asked ----------------------------------------------------------------------------

    def status(self) -> ClusterStatus:
        """Return what is known."""
        view = self._view
        members = tuple(
            MemberStatus(
                member.name,
                member.is_leaving,
                address in view.leases,
                address == self._me or address in self._up,
            )
            for address, member in sorted(view.members.items(), key=lambda each: each[1].name)
        )
        replicas = tuple(self._replica_status(number) for number in self._services)
        return ClusterStatus(
            self._config.name, self._problem, members, replicas, dict(self._dropped)
        )

    async def set_leaving(self, name: str, *, is_leaving: bool) -> None:
        """Let a member leave, or come back.

        Raises:
            NotFoundError: no member has that name.
            UnreachableError: etcd does not answer.
        """
        found = [each for each, member in self._view.members.items() if member.name == name]
        if not found:
            known = ", ".join(sorted(member.name for member in self._view.members.values()))
            raise NotFoundError(
                f"{name!r} is no member of {self._config.name}; members are {known or 'none'}",
                remedy="A node becomes one when it runs with the same [cluster] in its node.toml.",
            )
        value = encode_member(name, is_leaving=is_leaving)
        key = member_key(self._config.name, found[0])
        await self._ask(lambda: self._etcd.put(key, value))
        self.poke()

    # -- the parts --------------------------------------------------------------------------------

    async def _turn(self) -> None:
        try:
            self._view = await self._ask(self._look)
        except EiError as error:
            self._note_problem(str(error))
            return
        self._note_problem("")
        self._tell_all()
        self._tell_owners()
        for number, (_, copies) in self._services.items():
            await self._decide(number, copies)

    def _look(self) -> View:
        """Keep the own keys, and read all; on a thread."""
        cluster, etcd = self._config.name, self._etcd
        now_s = self._clock()
        if now_s - self._alive_s > self._config.lease_s / 4:
            if not self._lease or not etcd.keep_alive(self._lease):
                self._lease = etcd.grant(self._config.lease_s)
                etcd.put(live_key(cluster, self._me), encode_live(self._lease), lease=self._lease)
                value = encode_member(self._name, is_leaving=False)
                _ = etcd.change(member_key(cluster, self._me), value, revision=0)
            self._alive_s = now_s
        return read_view(cluster, etcd.read(prefix_of(cluster)))

    async def _decide(self, number: int, copies: int) -> None:
        seat, stand = self._seats[number], self._seats[number].stand
        if not seat.was_taken and self._is_early:
            return  # its worker is about to start
        staying = self._view.staying - ({self._me} if self._is_draining else set())
        record = self._view.services.get(number)
        change = decide(
            self._me,
            record,
            members=staying,
            standing=None if stand is None else stand.standing,
            # Nothing passes to one that was not met yet, and nothing is taken from it either.
            lost=self._away if record is not None and record.owner == self._me else self._lost(),
            copies=copies,
        )
        if change is None:
            return
        if record is not None and record.owner == self._me != change.owner:
            seat.tell(Resign())
        try:
            is_done = await self._ask(lambda: self._write(number, change))
            if is_done:
                self._log_change(number, record, change)
            if is_done and record is not None and change.epoch > record.epoch:
                await self._revoke(record.owner)
        except EiError as error:
            self._note_problem(str(error))
        self.poke()

    def _write(self, number: int, change: Ownership) -> bool:
        key = service_key(self._config.name, number)
        return self._etcd.change(key, encode_ownership(change), revision=change.revision)

    async def _revoke(self, owner: Address) -> None:
        """End the lease of an owner that was lost, so that people see it at once."""
        lease = self._view.leases.get(owner, 0)
        if lease and owner in self._lost():
            await self._ask(lambda: self._etcd.revoke(lease))

    async def _ask(self, act: Callable[[], ResultT]) -> ResultT:
        async with self._lock:
            return await asyncio.to_thread(act)

    @property
    def _is_early(self) -> bool:
        return self._clock() - self._began_s < MEETING_S

    @property
    def _away(self) -> frozenset[Address]:
        return frozenset(self._view.members.keys() - self._up - {self._me})

    def _lost(self) -> frozenset[Address]:
        return self._away & self._met if self._is_early else self._away

    def _tell_all(self) -> None:
        lost = self._lost()
        for number, seat in self._seats.items():
            seat.tell(See(self._view.services.get(number), self._view.staying, lost))

    def _tell_owners(self) -> None:
        owners = {
            number: record.owner
            for number, record in self._view.services.items()
            if number in self._services
        }
        if owners != self._owners:
            self._owners = owners
            _ = self._on_owners(owners)

    def _say(self, to: Address, message: bytes) -> None:
        try:
            _ = self._send(to, message)
        except ValueError:
            self._dropped["not_sent"] += 1

    def _replica_status(self, number: int) -> ReplicaStatus:
        record = self._view.services.get(number)
        stand = self._seats[number].stand
        return ReplicaStatus(
            self._services[number][0],
            0 if record is None else record.epoch,
            "" if record is None else self._name_of(record.owner),
            () if record is None else tuple(map(self._name_of, record.in_sync)),
            None if stand is None else stand.standing,
            () if stand is None else tuple(map(self._copy_status, stand.copies)),
        )

    def _copy_status(self, copy: CopyStatistics) -> CopyStatus:
        name = self._name_of(copy.member)
        return CopyStatus(name, copy.index, copy.is_lost, copy.is_in_transfer)

    def _name_of(self, address: Address) -> str:
        member = self._view.members.get(address)
        return address.hex() if member is None else member.name

    def _note_problem(self, problem: str) -> None:
        if bool(problem) != bool(self._problem):
            if problem:
                self._log.warn("etcd does not answer", cluster=self._config.name, reason=problem)
            else:
                self._log.info("etcd answers", cluster=self._config.name)
        self._problem = problem

    def _log_change(self, number: int, before: Ownership | None, now: Ownership) -> None:
        self._log.info(
            "ownership changed",
            service=self._services[number][0],
            epoch=now.epoch,
            owner=self._name_of(now.owner),
            in_sync=[self._name_of(each) for each in now.in_sync],
            before="" if before is None else self._name_of(before.owner),
        )
