"""A member's end of a worker's socket."""

import asyncio
import socket
from collections.abc import Callable

from ei.cluster.keeper import Standing
from ei.cluster.link import Hear, Say, Stand, downs, encode_frame
from ei.node.seats import Seat
from ei.sdk.packets import Address

OTHER = Address(b"o" * 16)
STAND = Stand(Standing(0, 0, "following", is_whole=False, is_new=True), (), {})


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 what is waited for has no event
            await asyncio.sleep(0)


def test_what_a_worker_says_is_taken_and_what_it_is_told_comes() -> None:
    async def program() -> None:
        said: list[tuple[Address, bytes]] = []
        seat = Seat(lambda to, message: said.append((to, message)), lambda: None)
        ours, theirs = socket.socketpair()
        await seat.open(ours)

        theirs.sendall(encode_frame(STAND) + encode_frame(Say(OTHER, b"hello")))
        await until(lambda: bool(said))
        seat.tell(Hear(OTHER, b"back"))
        await asyncio.sleep(0)

        assert (seat.stand, said) == (STAND, [(OTHER, b"hello")])
        assert downs.decode(theirs.recv(100)[4:]) == Hear(OTHER, b"back")
        seat.close()
        theirs.close()

    asyncio.run(program())


def test_a_worker_that_goes_stands_no_more_and_the_next_takes_its_place() -> None:
    async def program() -> None:
        changes: list[object] = []
        seat = Seat(lambda _to, _message: None, lambda: changes.append(1))
        ours, theirs = socket.socketpair()
        await seat.open(ours)
        theirs.sendall(encode_frame(STAND))
        await until(lambda: seat.stand is not None)

        theirs.close()
        await until(lambda: seat.stand is None)

        next_ours, next_theirs = socket.socketpair()
        await seat.open(next_ours)
        next_theirs.sendall(encode_frame(STAND))
        await until(lambda: seat.stand is not None)
        assert len(changes) >= 4
        seat.close()
        next_theirs.close()

    asyncio.run(program())


def test_without_a_worker_nothing_is_told() -> None:
    Seat(lambda _to, _message: None, lambda: None).tell(Hear(OTHER, b"x"))
