"""Hosts of an internet: each registers where it is attached, and looks for another one by name.

A host is its records here. Its node has the directory of its domain, which asks that of the other
one's home: for the name, then for the attachment. Directories talk over pipes of their own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import ceil, isfinite
from random import Random

from ei.directory import Attached, Directory, Named, Query
from ei.directory.messages import Register, encode
from ei.lab.clock import VirtualClock
from ei.lab.seeds import derive
from ei.records.envelope import seal_record
from ei.records.keys import make_keys
from ei.records.kinds import MAX_ATTACHMENT_S, AnyRecord, AttachmentRecord, Enrolment
from ei.records.record_set import with_records
from ei.scenarios.scale.internet import LIFE_S, Internet, domain_keys, name_of
from ei.sdk.packets import Address

DELAY_S = (0.01, 0.1)
"""One way between the nodes of two domains."""
SPREAD_S = 10.0
"""All hosts begin to search within this time."""


@dataclass(slots=True)
class Search:
    """One host looks for another.

    Attributes:
        source, to: Numbers of their domains.
        began_s, found_s: `found_s` is `None` while nothing was found.
        node: Where the other host is attached.
    """

    source: int
    to: int
    name: str
    began_s: float
    found_s: float | None = None
    node: Address | None = None


class Hosts:
    """The directories of all domains, with their hosts.

    Args:
        per_domain: How many.
        unix_s: Wall clock, now.
    """

    def __init__(
        self, clock: VirtualClock, internet: Internet, *, per_domain: int, seed: int, unix_s: int
    ) -> None:
        self._clock = clock
        self._unix_offset_s = unix_s - clock.now_s
        self._random = Random(seed)
        self._numbers = {keys.address(number): number for number, keys in internet.keys.items()}
        self._nodes = {number: address for address, number in self._numbers.items()}
        self._directories: dict[int, Directory] = {}
        self._waiting: dict[int, dict[Query, list[Callable[[AnyRecord], None]]]] = {}
        self._due_ns: dict[int, int] = {}
        self.messages = 0
        self.bytes = 0
        self.searches: list[Search] = []
        expires_unix_s = unix_s + LIFE_S
        for number, keys in internet.keys.items():
            domain = domain_keys(number, seed=seed)
            hosts = [
                make_keys(derive(seed, f"host {place} of domain {number}"))
                for place in range(per_domain)
            ]
            enrolments = [
                seal_record(
                    Enrolment(
                        host.address(number),
                        (host_name(number, place),),
                        host.identity_key,
                        host.pipe_key,
                        expires_unix_s,
                    ),
                    domain,
                )
                for place, host in enumerate(hosts)
            ]
            self._waiting[number] = {}
            self._directories[number] = Directory(
                keys=keys,
                address=self._nodes[number],
                records=with_records(internet.records, enrolments, unix_s=unix_s),
            )
            for host in hosts:
                attachment = AttachmentRecord(
                    host.address(number),
                    (self._nodes[number],),
                    unix_s * 1_000_000,
                    unix_s + MAX_ATTACHMENT_S - 60,
                )
                message = encode(Register(seal_record(attachment, host)))
                self._take(number, host.address(number), message)
        names = [(number, place) for number in internet.keys for place in range(per_domain)]
        for (source, _), (to, place) in zip(
            names, self._random.sample(names, len(names)), strict=True
        ):
            at_s = clock.now_s + self._random.uniform(0.0, SPREAD_S)
            search = Search(source, to, host_name(to, place), at_s)
            self.searches.append(search)
            self._at(at_s, partial(self._search, search))

    # -- a search ---------------------------------------------------------------------------------

    def _search(self, search: Search) -> None:
        self._ask(search.source, Named(search.name), partial(self._named, search))

    def _named(self, search: Search, record: AnyRecord) -> None:
        if isinstance(record, Enrolment):
            query = Attached(record.address)
            self._ask(search.source, query, partial(self._attached, search))

    def _attached(self, search: Search, record: AnyRecord) -> None:
        if isinstance(record, AttachmentRecord) and search.found_s is None:
            search.found_s, search.node = self._clock.now_s, record.nodes[0]

    def _ask(self, number: int, query: Query, then: Callable[[AnyRecord], None]) -> None:
        found, sends = self._directories[number].ask(
            query, now_s=self._clock.now_s, unix_s=self._unix_s
        )
        if found is None:
            self._waiting[number].setdefault(query, []).append(then)
        elif found.record is not None:
            then(found.record)
        self._after(number, sends)

    # -- events -----------------------------------------------------------------------------------

    @property
    def _unix_s(self) -> float:
        return self._unix_offset_s + self._clock.now_s

    def _take(self, number: int, sender: Address, message: bytes) -> None:
        sends = self._directories[number].take(
            sender, message, now_s=self._clock.now_s, unix_s=self._unix_s
        )
        self._after(number, sends)

    def _after(self, number: int, sends: Iterable[tuple[Address, bytes]]) -> None:
        """Send what a directory said, hand out its answers, and wake it when something is due."""
        directory = self._directories[number]
        for to, message in sends:
            if to in self._numbers:
                self.messages += 1
                self.bytes += len(message)
                at_s = self._clock.now_s + self._random.uniform(*DELAY_S)
                sender = self._nodes[number]
                self._at(at_s, partial(self._take, self._numbers[to], sender, message))
        for answer in directory.take_answers():
            for then in self._waiting[number].pop(answer.query, []):
                if answer.record is not None:
                    then(answer.record)
        self._wake(number, directory.next_deadline_s())

    def _wake(self, number: int, due_s: float) -> None:
        if not isfinite(due_s):
            return
        due_ns = max(ceil(due_s * 1e9) + 1, self._clock.now_ns + 1)
        if self._due_ns.get(number, due_ns + 1) <= due_ns:
            return
        self._due_ns[number] = due_ns

        def wake(_now_ns: int) -> None:
            if self._due_ns.get(number) == due_ns:
                del self._due_ns[number]
                sends = self._directories[number].poll(now_s=self._clock.now_s, unix_s=self._unix_s)
                self._after(number, sends)

        self._clock.at(due_ns, wake)

    def _at(self, at_s: float, callback: Callable[[], None]) -> None:
        self._clock.at(round(at_s * 1e9), lambda _now_ns: callback())


def host_name(domain: int, place: int) -> str:
    """Return the full name of a host."""
    return f"h{place}.{name_of(domain)}"
