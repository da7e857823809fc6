"""What the simulated underlay promises."""

import asyncio
from collections.abc import Callable

import pytest

from ei.errors import NotFoundError
from ei.lab.builder import TopologyBuilder
from ei.lab.clock import START_NS, VirtualClock, run_virtual
from ei.lab.eventlog import EventLog, read_entry
from ei.lab.network import Network, Port
from ei.lab.topology import Impairment, LinkKind, Topology

MS = 1_000_000


def pair(impairment: Impairment) -> Topology:
    builder = TopologyBuilder("pair")
    builder.domain("d")
    builder.node("a.d")
    builder.node("b.d")
    builder.link_default(LinkKind.NODE, impairment)
    return builder.build()


class Rig:
    """Two endpoints that write down what arrives."""

    def __init__(self, clock: VirtualClock, impairment: Impairment, *, seed: int = 7) -> None:
        self.log = EventLog()
        self.network = Network(clock, pair(impairment), seed=seed, log=self.log)
        self.arrivals: list[tuple[int, str, bytes]] = []
        self.a = self.network.attach("a.d", "10.0.0.1:3535", self.arrived)
        self.b = self.network.attach("b.d", "10.0.0.2:3535", self.arrived)

    def arrived(self, now_ns: int, source: str, datagrams: list[bytes]) -> list[str]:
        self.arrivals += [(now_ns - START_NS, source, datagram) for datagram in datagrams]
        return ["delivered"] * len(datagrams)

    def send(self, sender: Port, *datagrams: bytes) -> None:
        other = self.b if sender is self.a else self.a
        self.network.send(sender, [(other.endpoint, datagram) for datagram in datagrams])


def run(
    impairment: Impairment, script: Callable[[Rig], None], *, seed: int = 7, wait_s: float = 1.0
) -> Rig:
    async def program(clock: VirtualClock) -> Rig:
        rig = Rig(clock, impairment, seed=seed)
        script(rig)
        await asyncio.sleep(wait_s)
        return rig

    return run_virtual(program)


def test_a_datagram_arrives_after_the_delay_of_its_link() -> None:
    rig = run(Impairment(delay_ms=5), lambda rig: rig.send(rig.a, b"hello"))

    assert rig.arrivals == [(5 * MS, "10.0.0.1:3535", b"hello")]


def test_a_train_arrives_whole_and_in_order() -> None:
    rig = run(Impairment(delay_ms=1), lambda rig: rig.send(rig.a, b"1", b"2", b"3"))

    assert [datagram for _, _, datagram in rig.arrivals] == [b"1", b"2", b"3"]
    assert rig.network.statistics() == {"datagrams": 3, "lost": 0, "links": 1}


def test_even_a_link_without_delay_takes_some_time() -> None:
    rig = run(Impairment(), lambda rig: rig.send(rig.a, b"hello"))

    assert rig.arrivals[0][0] == 1_000


def test_what_a_cut_link_takes_is_lost_both_ways() -> None:
    def script(rig: Rig) -> None:
        rig.network.change("a.d", "b.d", Impairment(is_cut=True))
        rig.send(rig.a, b"there")
        rig.send(rig.b, b"back")

    rig = run(Impairment(), script)

    assert rig.arrivals == []
    assert rig.network.statistics()["lost"] == 2


def test_a_seeded_link_loses_the_same_datagrams_again() -> None:
    lossy = Impairment(delay_ms=1, jitter_ms=2, loss=0.3, duplicate=0.1, reorder=0.1)

    def script(rig: Rig) -> None:
        for number in range(100):
            rig.send(rig.a, bytes([number]))

    first, again, other = (run(lossy, script, seed=seed) for seed in (1, 1, 2))

    assert first.arrivals == again.arrivals
    assert first.log.digest() == again.log.digest()
    assert first.arrivals != other.arrivals


def test_who_is_frozen_hears_everything_when_thawed() -> None:
    def script(rig: Rig) -> None:
        rig.network.freeze("b.d")
        rig.send(rig.a, b"wait")

    rig = run(Impairment(), script)
    assert rig.arrivals == []

    rig.network.thaw("b.d")
    assert [datagram for _, _, datagram in rig.arrivals] == [b"wait"]


def test_who_is_frozen_for_long_loses_what_a_socket_would_lose() -> None:
    def script(rig: Rig) -> None:
        rig.network.freeze("b.d")
        for number in range(300):
            rig.send(rig.a, number.to_bytes(2, "little"))

    rig = run(Impairment(jitter_ms=100), script)
    rig.network.thaw("b.d")

    assert len(rig.arrivals) == 256


def test_nobody_hears_what_is_sent_to_the_dead() -> None:
    def script(rig: Rig) -> None:
        rig.network.detach("b.d")
        rig.send(rig.a, b"anyone?")

    assert run(Impairment(), script).arrivals == []


def test_an_endpoint_where_nobody_ever_was_swallows_datagrams() -> None:
    rig = run(Impairment(), lambda rig: rig.network.send(rig.a, [("10.9.9.9:1", b"hello")]))

    assert rig.network.statistics()["datagrams"] == 0


def test_a_tap_sees_what_arrives() -> None:
    seen: list[bytes] = []

    def script(rig: Rig) -> None:
        rig.network.tap = lambda _now_ns, _source, _to, datagram: seen.append(datagram)
        rig.send(rig.a, b"hello")

    run(Impairment(), script)

    assert seen == [b"hello"]


def test_freezing_a_stranger_is_refused() -> None:
    with pytest.raises(NotFoundError, match=r"c\.d is not on the underlay"):
        run(Impairment(), lambda rig: rig.network.freeze("c.d"))


def test_who_moved_is_reached_where_it_is_and_not_where_it_was() -> None:
    def script(rig: Rig) -> None:
        rig.send(rig.b, b"before")
        rig.network.rebind("a.d", "10.0.0.9:4000")
        rig.network.send(
            rig.b, [("10.0.0.1:3535", b"to the old"), ("10.0.0.9:4000", b"to the new")]
        )
        rig.send(rig.a, b"from the new")

    rig = run(Impairment(delay_ms=1), script)

    # What arrives at one instant comes in the order of the senders in the topology.
    assert [(source, datagram) for _, source, datagram in rig.arrivals] == [
        ("10.0.0.9:4000", b"from the new"),
        ("10.0.0.2:3535", b"before"),
        ("10.0.0.2:3535", b"to the new"),
    ]


def test_what_is_sent_before_anybody_is_there_arrives_and_nobody_hears_it() -> None:
    fates: list[str] = []

    async def program(clock: VirtualClock) -> None:
        log = EventLog()
        log.watch = lambda entry: fates.append(read_entry(entry).text)
        endpoints = {"a.d": "10.0.0.1:3535", "b.d": "10.0.0.2:3535"}
        network = Network(clock, pair(Impairment()), seed=1, log=log, endpoints=endpoints)
        early = network.attach(
            "a.d", endpoints["a.d"], lambda _now, _source, each: ["x"] * len(each)
        )
        network.send(early, [(endpoints["b.d"], b"too early")])
        await asyncio.sleep(1)

    run_virtual(program)

    assert fates == ["nobody there"]


def test_what_is_sent_to_another_process_leaves_with_the_time_of_its_arrival() -> None:
    endpoints = {"a.d": "10.0.0.1:3535", "b.d": "10.0.0.2:3535"}
    mail: list[tuple[int, int, bytes]] = []
    heard: list[tuple[int, str, list[bytes]]] = []

    def hear(now_ns: int, source: str, datagrams: list[bytes]) -> list[str]:
        heard.append((now_ns - START_NS, source, datagrams))
        return ["delivered"] * len(datagrams)

    async def here(clock: VirtualClock) -> None:
        def leave(at_ns: int, number: int, datagram: bytes) -> None:
            mail.append((at_ns, number, datagram))

        network = Network(
            clock,
            pair(Impairment(delay_ms=2)),
            seed=1,
            endpoints=endpoints,
            leave_to={"a.d": None, "b.d": leave}.__getitem__,
        )
        sender = network.attach("a.d", endpoints["a.d"], hear)
        network.send(sender, [(endpoints["b.d"], b"1"), (endpoints["b.d"], b"2")])

    async def there(clock: VirtualClock) -> tuple[str, str]:
        network = Network(clock, pair(Impairment()), seed=1, endpoints=endpoints)
        _ = network.attach("b.d", endpoints["b.d"], hear)
        for letter in mail:
            network.take(*letter)
        await asyncio.sleep(1)
        return network.link_ends(mail[0][1])

    run_virtual(here)
    assert run_virtual(there) == ("a.d", "b.d")

    assert heard == [(2 * MS, "10.0.0.1:3535", [b"1", b"2"])]


@pytest.mark.parametrize("number", [0, 2, 2**15 + 2, 2**31])
def test_a_number_that_no_link_has_is_refused(number: int) -> None:
    async def program(clock: VirtualClock) -> None:
        with pytest.raises(NotFoundError, match=f"no link {number} "):
            _ = Network(clock, pair(Impairment()), seed=1).link_ends(number)

    run_virtual(program)
