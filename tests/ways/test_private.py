"""What goes the private way goes by the relay alone, and what does not is refused."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Literal, Never

import pytest
from dns.rcode import Rcode
from tests.ways.messages import asked, read, reasons

from ei.daemons.log import Level, Log
from ei.errors import DeniedError, StreamError
from ei.lab.catalogue import find_topology
from ei.lab.clock import run_virtual
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import RecordSet, verify_records
from ei.sdk.packets import Address
from ei.services.relay.client import RelayStatus
from ei.ways.dns_stub import Stub
from ei.ways.exits import ExitWish
from ei.ways.page import PartySeen, PrivateSeen
from ei.ways.private import (
    PrivateDialler,
    ask_nobody,
    expect_exit,
    keep_ready,
    look_for_nobody,
    seen_of,
)

DOMAIN = Issuer("isp-b", 2, make_keys(b"d" * 32), expires_unix_s=2_000)
NODE = make_keys(b"n" * 32)
EXIT = NODE.address(2)
CLIENT = ("198.19.0.1", 4_000)


class NoServer:
    """A relay to servers that refuse.

    Attributes:
        opened: Where to, so far.
    """

    def __init__(self, status: RelayStatus) -> None:
        self._status = status
        self.opened: list[tuple[str, int, str]] = []

    async def ready(self, *, deadline_s: float) -> None:
        pass

    async def open(
        self,
        name: str,
        port: int,
        *,
        transport: Literal["tcp", "udp"] = "tcp",
        first: bytes = b"",
        deadline_s: float,
    ) -> Never:
        self.opened.append((name, port, transport))
        raise StreamError(f"{name} refuses connections", kind="refused")

    def status(self) -> RelayStatus:
        return self._status


def known() -> RecordSet:
    node = DOMAIN.node(
        NODE, "sn1.isp-b", endpoints=("192.0.2.1:1",), services=(68,), location=(48, -11)
    )
    trust = {"isp-b": DOMAIN.keys.identity_key}
    return verify_records([DOMAIN.domain(), node], trust=trust, unix_s=1_000)


def relay(*, is_up: bool = True, node: Address | None = EXIT, why_not: str = "") -> NoServer:
    return NoServer(RelayStatus(is_up=is_up, node=node, exit=node, why_not=why_not, circuits=1))


def test_servers_are_reached_by_the_relay_under_the_names_that_they_were_given() -> None:
    by = relay()
    dialler = PrivateDialler(by, known)

    with pytest.raises(StreamError, match="refuses connections"):
        asyncio.run(dialler.dial("www.example.org", 443))
    with pytest.raises(StreamError):
        asyncio.run(dialler.dial("[2001:db8::1]", 443))
    with pytest.raises(StreamError):
        asyncio.run(dialler.dial_datagrams("192.0.2.53", 53))

    assert by.opened == [
        ("www.example.org", 443, "tcp"),
        ("2001:db8::1", 443, "tcp"),
        ("192.0.2.53", 53, "udp"),
    ]


@pytest.mark.parametrize("name", ["bob.isp-b.ei", "bob.isp-b", "fd35:0:1::1", "bob.unknown.ei"])
def test_hosts_are_refused_since_they_would_see_who_asks(name: str) -> None:
    by = relay()
    dialler = PrivateDialler(by, known)

    with pytest.raises(DeniedError, match="would see who asks") as denied:
        asyncio.run(dialler.dial(name, 80))
    with pytest.raises(DeniedError):
        asyncio.run(dialler.dial_datagrams(name, 80))

    assert "without --private" in denied.value.remedy
    assert by.opened == []


@pytest.mark.parametrize(("name", "kind"), [("bob.isp-b.ei.", "AAAA"), ("www.example.org.", "MX")])
def test_nobody_is_asked_about_a_name_and_who_asks_is_told_why(name: str, kind: str) -> None:
    stub = Stub(look_for_nobody, ask_nobody)

    answer = read(asyncio.run(stub.answer(asked(name, kind), client=CLIENT, is_udp=True)))

    assert answer.rcode() == Rcode.SERVFAIL
    assert "private" in " ".join(reasons(answer))


def test_people_are_shown_which_node_is_whose() -> None:
    party = PartySeen("sn1.isp-b", "isp-b", "48N,11W")

    assert seen_of(relay(), known()) == PrivateSeen(is_up=True, first=party, exit=party)
    nothing = relay(is_up=False, node=None, why_not="no node is in use")
    assert seen_of(nothing, known()) == PrivateSeen(is_up=False, why_not="no node is in use")


class Unsteady(NoServer):
    """A relay whose circuits last for so long."""

    def __init__(self, lasts_s: float) -> None:
        super().__init__(RelayStatus(is_up=True, node=EXIT, exit=EXIT, why_not="", circuits=0))
        self._lasts_s = lasts_s
        self._until_s = -1.0
        self.circuits = 0

    async def ready(self, *, deadline_s: float) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._until_s:
            self.circuits += 1
            self._until_s = now_s + self._lasts_s

    def status(self) -> RelayStatus:
        return replace(super().status(), circuits=self.circuits)


@pytest.mark.parametrize(("lasts_s", "most"), [(0.1, 60), (600.0, 7)])
def test_in_an_hour_no_more_circuits_are_opened_unasked_than_there_are_tokens_for(
    lasts_s: float, most: int
) -> None:
    async def script(_: object) -> int:
        by = Unsteady(lasts_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(3_600.0):
                await keep_ready(by, Log(level=Level.ERROR))
        return by.circuits

    assert 1 < run_virtual(script) <= most


def test_a_host_whose_nodes_offer_no_relay_is_told_before_anything_runs() -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(DeniedError, match="offers no relay"):
            expect_exit(lab.host("alice"), ExitWish(), Random(1))

    run_simulated(find_topology("threedomains"), script)
