"""A member between an etcd in memory, the other members, and its worker."""

import asyncio
import io
import socket
from collections.abc import Awaitable, Callable, Mapping

import pytest

from ei.cluster.keeper import Standing
from ei.cluster.link import Down, Frames, Hear, Resign, See, Stand, downs, encode_frame
from ei.cluster.messages import Refused, encode_message
from ei.cluster.ownership import Ownership, decode_ownership, encode_ownership
from ei.cluster.view import encode_member, live_key, member_key, service_key
from ei.daemons.log import Log
from ei.errors import NotFoundError, UnreachableError
from ei.node.cluster_config import ClusterConfig
from ei.node.membership import Membership
from ei.sdk.packets import Address

ME, OTHER, THIRD = (Address(b"\xfd\x35" + bytes([number]) * 14) for number in (1, 2, 3))
SERVICE = 7
CONFIG = ClusterConfig(name="c", etcd=("127.0.0.1:1",))
NEW = Standing(0, 0, "following", is_whole=False, is_new=True)


class KeysInMemory:
    """Etcd, without the network."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, int]] = {}
        self.revision = 0
        self.is_up = True
        self.leases: set[int] = set()

    def read(self, prefix: str) -> list[tuple[str, bytes, int]]:
        self._expect_up()
        return [(key, *kept) for key, kept in self.kept.items() if key.startswith(prefix)]

    def change(self, key: str, value: bytes, *, revision: int) -> bool:
        self._expect_up()
        if self.kept.get(key, (b"", 0))[1] != revision:
            return False
        self.put(key, value)
        return True

    def put(self, key: str, value: bytes, *, lease: int = 0) -> None:
        self._expect_up()
        self.revision += 1
        self.kept[key] = (value, self.revision)

    def grant(self, ttl_s: int) -> int:
        self._expect_up()
        self.leases.add(len(self.leases) + 1)
        return len(self.leases)

    def keep_alive(self, lease: int) -> bool:
        self._expect_up()
        return lease in self.leases

    def revoke(self, lease: int) -> None:
        self.leases.discard(lease)

    def close(self) -> None:
        """Nothing is open."""

    def owner(self) -> Ownership:
        value, revision = self.kept[service_key("c", SERVICE)]
        return decode_ownership(value, revision=revision)

    def _expect_up(self) -> None:
        if not self.is_up:
            raise UnreachableError("etcd does not answer: nobody there")


class Rig:
    """One member, and the worker's end of its socket."""

    def __init__(self, keys: KeysInMemory | None = None) -> None:
        self.keys = keys or KeysInMemory()
        self.sent: list[tuple[Address, bytes]] = []
        self.owners: list[Mapping[int, Address]] = []
        self.told: list[Down] = []
        self.membership = Membership(
            CONFIG,
            me=ME,
            name="sn1.isp-a",
            services={SERVICE: ("register", 2)},
            etcd=self.keys,
            send=lambda to, message: self.sent.append((to, message)),
            on_owners=self.owners.append,
            log=Log(io.StringIO()),
        )
        self._frames = Frames()
        self._worker: socket.socket | None = None

    def start_worker(self, standing: Standing) -> None:
        ours, self._worker = socket.socketpair()
        self._worker.settimeout(0)
        self.membership.attach(SERVICE, ours)
        self.stand(standing)

    def stand(self, standing: Standing) -> None:
        assert self._worker is not None
        self._worker.sendall(encode_frame(Stand(standing, (), {})))

    def end_worker(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def hear(self) -> list[Down]:
        assert self._worker is not None
        try:
            received = self._worker.recv(1 << 20)
        except BlockingIOError:
            return self.told
        self.told += [downs.decode(frame) for frame in self._frames.feed(received)]
        return self.told

    def know(self, *members: Address) -> None:
        for number, member in enumerate(members, start=1):
            value = encode_member(f"sn{number}.isp-a", is_leaving=False)
            self.keys.put(member_key("c", member), value)

    def record(self, record: Ownership) -> None:
        self.keys.put(service_key("c", SERVICE), encode_ownership(record))


def play(story: Callable[[Rig], Awaitable[None]]) -> None:
    async def program() -> None:
        rig = Rig()
        async with asyncio.TaskGroup() as group:
            being = group.create_task(rig.membership.run())
            try:
                async with asyncio.timeout(10):
                    await story(rig)
            finally:
                _ = being.cancel()
                rig.membership.close()
                rig.end_worker()

    asyncio.run(program())


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 it happens on other threads, too
        await asyncio.sleep(0.002)


def test_a_member_says_who_it_is_and_that_it_lives() -> None:
    async def story(rig: Rig) -> None:
        await until(lambda: live_key("c", ME) in rig.keys.kept)
        await until(lambda: bool(rig.membership.status().members))

        (member,) = rig.membership.status().members
        assert (member.name, member.is_live, member.is_up) == ("sn1.isp-a", True, True)

    play(story)


def test_the_first_member_with_a_new_replica_owns_the_state() -> None:
    async def story(rig: Rig) -> None:
        rig.start_worker(NEW)

        await until(lambda: service_key("c", SERVICE) in rig.keys.kept)
        await until(lambda: bool(rig.owners) and rig.owners[-1] == {SERVICE: ME})

        assert rig.keys.owner().in_sync == (ME,)
        await until(lambda: any(isinstance(each, See) and each.record for each in rig.hear()))

    play(story)


def test_the_state_of_an_owner_whose_pipe_is_down_is_taken_over_at_once() -> None:
    async def story(rig: Rig) -> None:
        rig.know(ME, OTHER, THIRD)
        rig.record(Ownership(4, OTHER, (ME, OTHER, THIRD)))
        rig.start_worker(Standing(0, 4, "following", is_whole=True, is_new=False))
        for peer in (OTHER, THIRD):
            rig.membership.peer_changed(peer, is_up=True)
        await until(lambda: bool(rig.owners) and rig.owners[-1] == {SERVICE: OTHER})

        rig.membership.peer_changed(OTHER, is_up=False)
        await until(lambda: rig.keys.owner().owner == ME)

        assert (rig.keys.owner().epoch, rig.keys.owner().in_sync) == (5, (ME, THIRD))

    play(story)


def test_a_state_whose_worker_is_gone_passes_to_another() -> None:
    async def story(rig: Rig) -> None:
        rig.know(ME, OTHER, THIRD)
        for peer in (OTHER, THIRD):
            rig.membership.peer_changed(peer, is_up=True)
        rig.start_worker(Standing(0, 4, "owning", is_whole=True, is_new=False))
        await until(lambda: rig.membership.status().replicas[0].standing is not None)
        rig.record(Ownership(4, ME, (ME, OTHER, THIRD)))
        await until(lambda: bool(rig.owners) and rig.owners[-1] == {SERVICE: ME})

        rig.end_worker()
        await until(lambda: rig.keys.owner().owner == OTHER)

    play(story)


@pytest.mark.parametrize("how", ["drain", "leave"])
def test_who_leaves_hands_over_and_its_worker_stops_first(how: str) -> None:
    async def story(rig: Rig) -> None:
        rig.know(ME, OTHER, THIRD)
        for peer in (OTHER, THIRD):
            rig.membership.peer_changed(peer, is_up=True)
        rig.record(Ownership(4, ME, (ME, OTHER, THIRD)))
        rig.start_worker(Standing(0, 4, "owning", is_whole=True, is_new=False))
        await until(lambda: bool(rig.owners) and rig.owners[-1] == {SERVICE: ME})

        if how == "drain":
            rig.membership.drain()
        else:
            await rig.membership.set_leaving("sn1.isp-a", is_leaving=True)
        await until(lambda: rig.keys.owner().owner == OTHER)

        await until(lambda: any(isinstance(each, Resign) for each in rig.hear()))

    play(story)


def test_without_etcd_nothing_changes_and_that_is_said() -> None:
    async def story(rig: Rig) -> None:
        rig.know(ME, OTHER)
        rig.record(Ownership(4, OTHER, (ME, OTHER)))
        rig.membership.peer_changed(OTHER, is_up=True)
        await until(lambda: bool(rig.membership.status().members))
        rig.keys.is_up = False

        await until(lambda: rig.membership.status().problem != "")

        status = rig.membership.status()
        assert status.problem == "etcd does not answer: nobody there"
        assert status.replicas[0].owner == "sn2.isp-a"
        rig.keys.is_up = True
        await until(lambda: rig.membership.status().problem == "")

    play(story)


def test_messages_of_members_go_to_the_worker_and_of_strangers_nowhere() -> None:
    async def story(rig: Rig) -> None:
        rig.know(ME, OTHER)
        rig.start_worker(NEW)
        await until(lambda: len(rig.membership.status().members) == 2)
        (message,) = encode_message(Refused(SERVICE, 3))

        rig.membership.take(OTHER, message)
        rig.membership.take(THIRD, message)
        rig.membership.take(OTHER, b"?")

        await until(lambda: Hear(OTHER, message) in rig.hear())
        assert rig.membership.status().dropped == {"no_member": 1, "bad_message": 1}

    play(story)


def test_only_members_can_leave() -> None:
    async def story(rig: Rig) -> None:
        await until(lambda: bool(rig.membership.status().members))

        with pytest.raises(NotFoundError, match=r"is no member of c; members are sn1\.isp-a"):
            await rig.membership.set_leaving("sn9.isp-a", is_leaving=True)

    play(story)


def test_it_knows_which_states_have_copies() -> None:
    rig = Rig()

    assert (rig.membership.copies_of(SERVICE), rig.membership.copies_of(16)) == (2, 0)
