"""One router for each domain of an internet, on the lab's virtual clock; pipes are delays."""

from collections.abc import Callable, Iterable
from math import ceil
from random import Random

from ei.lab.clock import VirtualClock
from ei.routing import Atlas, Memo, Offer, Router
from ei.scenarios.scale.internet import Internet
from ei.sdk.packets import Address

UNIX_S = 1_800_000_000
NOTICE_S = 0.15
"""Until both ends of a pipe that was cut know it: three heartbeats of 50 ms."""


class World:
    """Routers and the pipes between them.

    Args:
        clock: Of the run.
        internet: Who is whose neighbour.
        memo: Shared by all: bytes that verified once in this process are good for all.
        seed: Of the routers' delays.

    Attributes:
        changed_s: When an answer of any router last changed.
    """

    def __init__(self, clock: VirtualClock, internet: Internet, *, memo: Memo, seed: int) -> None:
        self._clock = clock
        self._internet = internet
        self._unix_offset_s = UNIX_S - clock.now_s
        self.atlas = Atlas(internet.records)
        self.domains = {keys.address(number): number for number, keys in internet.keys.items()}
        self._nodes = {number: address for address, number in self.domains.items()}
        self._delays_ns: dict[tuple[int, int], int] = {}
        self._due_ns: dict[int, int] = {}
        self.changed_s = 0.0
        self.routers: dict[int, Router] = {}
        for number, keys in internet.keys.items():
            services = internet.records.nodes[self._nodes[number]].services
            offers = [Offer(service, 1, number % 3, 0) for service in services]
            self.routers[number] = Router(
                keys=keys,
                domain_number=number,
                atlas=self.atlas,
                policy=internet.policy(number),
                random=Random(f"{seed} {number}"),
                offers=offers,
                memo=memo,
            )

    @property
    def now_s(self) -> float:
        """Virtual time."""
        return self._clock.now_s

    @property
    def unix_s(self) -> float:
        """The wall clock."""
        return self._unix_offset_s + self._clock.now_s

    def node(self, domain: int) -> Address:
        """Return the address of the node of a domain."""
        return self._nodes[domain]

    def open_pipes(self) -> None:
        """Bring all pipes up at once: the worst that can happen."""
        for edge in self._internet.edges:
            self.open_pipe(edge.one, edge.other, delay_s=edge.delay_s)

    def open_pipe(self, one: int, other: int, *, delay_s: float) -> None:
        """Bring a pipe up; both ends know its round trip."""
        for at, peer in ((one, other), (other, one)):
            self._delays_ns[at, peer] = round(delay_s * 1e9)
        for at, peer in ((one, other), (other, one)):
            out = self.routers[at].peer_changed(
                self._nodes[peer], is_up=True, now_s=self.now_s, round_trip_s=2 * delay_s
            )
            self._after(at, out)

    def cut_pipe(self, one: int, other: int) -> None:
        """Lose a pipe: nothing passes any more, and both ends notice a little later."""
        for at, peer in ((one, other), (other, one)):
            del self._delays_ns[at, peer]
            self._at(NOTICE_S, self._lose(at, peer), link=at)

    def path(self, source: int, to: int) -> list[int] | None:
        """Return the domains that a packet passes, hop by hop; `None` when it does not arrive."""
        at, came_from, passed = source, 0, [source]
        while at != to:
            route = self.routers[at].route_to(to, came_from=came_from)
            if route is None or len(passed) > MAX_WALK:
                return None
            came_from, at = at, self.domains[route.hops[0]]
            passed.append(at)
        return passed

    # -- events -----------------------------------------------------------------------------------

    def _lose(self, at: int, peer: int) -> Callable[[int], None]:
        def lose(_now_ns: int) -> None:
            out = self.routers[at].peer_changed(self._nodes[peer], is_up=False, now_s=self.now_s)
            self._after(at, out)

        return lose

    def _after(self, at: int, out: Iterable[tuple[Address, bytes]]) -> None:
        """Send what a router said, note what changed, and wake it when it has something to do."""
        for to, message in out:
            peer = self.domains[to]
            delay_ns = self._delays_ns.get((at, peer))
            if delay_ns is not None:
                self._clock.at(
                    self._clock.now_ns + delay_ns, self._arrival(at, peer, message), link=peer
                )
        router = self.routers[at]
        changes = router.take_changes()
        if changes.domains or changes.services:
            self.changed_s = self.now_s
        self._wake(at, router.next_deadline_s())

    def _arrival(self, sender: int, to: int, message: bytes) -> Callable[[int], None]:
        def arrive(_now_ns: int) -> None:
            if (sender, to) in self._delays_ns:
                out = self.routers[to].take(
                    self._nodes[sender], message, now_s=self.now_s, unix_s=self.unix_s
                )
                self._after(to, out)

        return arrive

    def _wake(self, at: int, due_s: float) -> None:
        due_ns = max(ceil(due_s * 1e9) + 1, self._clock.now_ns)
        if self._due_ns.get(at, due_ns + 1) <= due_ns:
            return
        self._due_ns[at] = due_ns

        def wake(_now_ns: int) -> None:
            if self._due_ns.get(at) != due_ns:
                return
            del self._due_ns[at]
            self._after(at, self.routers[at].poll(now_s=self.now_s, unix_s=self.unix_s))

        self._clock.at(due_ns, wake, link=at)

    def _at(self, after_s: float, callback: Callable[[int], None], *, link: int) -> None:
        self._clock.at(self._clock.now_ns + round(after_s * 1e9), callback, link=link)


MAX_WALK = 64
