"""What floods a node: initiations that cost it something, from addresses that are all different."""

import socket
from itertools import islice

from ei._core import Datapath, public_key
from ei.scenarios.flood.flooder import MESSAGE_BYTES, SOURCES, flood, initiation, sources

SECRET = bytes(range(32))


def node() -> Datapath:
    return Datapath(role="node", address=bytes([0xFD, *bytes(15)]), private_key=SECRET)


def fates(key: bytes) -> list[str]:
    """What a node makes of initiations to the owner of `key`, each from another address."""
    flooded = node()
    return [
        flooded.handle(
            1, f"127.0.1.{number}:9", initiation(key, bytes(MESSAGE_BYTES), index=number << 4)
        )
        for number in range(200)
    ]


def test_initiations_cost_the_node_a_handshake_each_until_it_asks_for_cookies() -> None:
    assert fates(public_key(SECRET)) == ["bad_handshake"] * 127 + ["cookie_required"] * 73


def test_initiations_to_somebody_else_are_no_load() -> None:
    assert fates(bytes(32)) == ["bad_handshake"] * 200


def test_no_address_comes_twice_in_a_flood_of_a_minute() -> None:
    seen = list(islice(sources(), 1_200_000))

    assert len(set(seen)) == len(seen)
    assert {each[:1] for each in seen} == {b"\x7f"}


def test_no_address_is_one_that_the_system_refuses_as_a_source() -> None:
    assert bytes([127, 255, 255, 255]) not in set(islice(sources(), SOURCES))


def test_each_datagram_comes_from_an_address_of_its_own() -> None:
    clock = iter(number / 10 for number in range(100))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taking,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened,
    ):
        taking.bind(("127.0.0.1", 0))
        taking.settimeout(1)
        opened.bind(("0.0.0.0", 0))  # noqa: S104 as the flood does

        flooded = flood(
            opened, taking.getsockname(), [b"one", b"two"], per_s=10, seconds=0.55,
            now_s=clock.__next__, sleep=lambda _: None,
        )  # fmt: skip
        received = [taking.recvfrom(100) for _ in range(flooded.sent)]

    assert flooded.sent == 5
    assert [data for data, _ in received] == [b"one", b"two", b"one", b"two", b"one"]
    assert len({address for _, (address, _) in received}) == 5
