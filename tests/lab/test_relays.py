"""What the links of a lab of real daemons promise."""

import socket
import time
from collections.abc import Iterator

import msgspec
import pytest

from ei.errors import NotFoundError
from ei.lab.layout import Relay
from ei.lab.processes import claim_subnet
from ei.lab.relays import Relays
from ei.lab.run_folder import LabFile
from ei.lab.topology import Impairment

UNHARMED = Impairment(delay_ms=1)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b,
    ):
        for each in (a, b):
            each.bind(("127.0.0.1", 0))
            each.settimeout(5)
        yield a, b


@pytest.fixture
def relays(ends: tuple[socket.socket, socket.socket]) -> Iterator[Relays]:
    a, b = (f"127.0.0.1:{each.getsockname()[1]}" for each in ends)
    claim, subnet = claim_subnet()
    with claim:
        relay = Relay("a.d", "b.d", f"{subnet}.128.0:3535", a, f"{subnet}.128.1:3535", b, UNHARMED)
        lab = LabFile(
            name="x", run_id="0", subnet=subnet, seed=1, started_unix_s=0, topology="x",
            relays=[relay],
        )  # fmt: skip
        relays = Relays(lab)
        relays.start(None)
        a_side = relay.a_side.partition(":")[0]
        ends[0].connect((a_side, 3535))
        yield relays
        relays.stop()


def test_what_crossed_a_link_is_counted_over_its_changes(
    relays: Relays, ends: tuple[socket.socket, socket.socket]
) -> None:
    a, b = ends
    for _ in range(2):
        _ = a.send(b"hello")
        assert b.recv(100) == b"hello"
        relays.change("b.d", "a.d", Impairment(delay_ms=2))

    (link,) = relays.status()

    assert (link["name"], link["offered"], link["delivered"]) == ("a.d--b.d", 2, 2)


def test_a_link_is_cut_and_healed(
    relays: Relays, ends: tuple[socket.socket, socket.socket]
) -> None:
    a, b = ends
    relays.change("a.d", "b.d", Impairment(is_cut=True))
    _ = a.send(b"lost")
    while relays.status()[0]["lost"] == 0:
        time.sleep(0.001)
    relays.change("a.d", "b.d", None)
    _ = a.send(b"not lost")

    assert b.recv(100) == b"not lost"
    (link,) = relays.status()
    assert link["lost"] == 1
    assert link["impairment"] == msgspec.to_builtins(UNHARMED)


def test_a_link_that_is_not_there_is_suggested(relays: Relays) -> None:
    with pytest.raises(NotFoundError, match=r"no link a.d--c.d; did you mean 'a.d--b.d'"):
        relays.change("c.d", "a.d", None)


def test_a_link_that_is_listed_between_two_who_are_no_peers_has_its_properties() -> None:
    far = Impairment(delay_ms=40, loss=0.01)
    lab = LabFile(
        name="x", run_id="0", subnet="198.18", seed=1, started_unix_s=0, topology="x",
        addresses={"a.d": "198.18.0.1", "web.d": "198.18.0.2"},
        listed_links=[("web.d", "a.d", far)],
    )  # fmt: skip

    (link,) = Relays(lab).status()

    assert (link["name"], link["impairment"]) == ("a.d--web.d", msgspec.to_builtins(far))
