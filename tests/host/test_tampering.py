"""Somebody on the way between a host and its nodes changes what they agree on (A16)."""

from collections.abc import Callable

import pytest
from tests.host.conftest import World

INITIATION, RESPONSE = 1, 2
KIND = 0x0F
SUITE = 1


def changed(kind: int, place: int, value: int) -> Callable[[str, str, bytes], bytes]:
    """Return what puts `value` at a place of each handshake message of a kind."""

    def alter(_from: str, _to: str, datagram: bytes) -> bytes:
        if datagram[0] & KIND != kind:
            return datagram
        return datagram[:place] + bytes([value]) + datagram[place + 1 :]

    return alter


@pytest.mark.parametrize("kind", [INITIATION, RESPONSE])
@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 0x00), (0, 0x20), (0, 0xF0), (SUITE, 0), (SUITE, 1), (SUITE, 255)],
)
def test_a16_a_version_or_suite_that_is_changed_on_the_way_opens_no_pipe(
    kind: int, place: int, value: int
) -> None:
    world = World({"alice": ("sn1", "sn2"), "bob": ("sn2",)})
    world.alter = changed(kind, place, value | kind if place == 0 else value)

    world.run(3_000)

    assert [stack.attachments.up for stack in world.hosts.values()] == [(), ()]
    # Nothing is remembered of it: without that somebody the pipes open.
    world.alter = lambda _from, _to, datagram: datagram
    world.run(11_000)
    assert all(stack.attachments.up for stack in world.hosts.values())
