"""Traces are kept, bounded, and come out with names."""

import tracemalloc
from collections.abc import Iterable

import pytest

from ei.node.datapath import Trace
from ei.node.traces import MAX_TRACES, Flow, Module, Passage, TraceRecord, Traces
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import verify_records
from ei.sdk import Manifest

DOMAIN, ALICE, BOB = (make_keys(letter * 32) for letter in (b"d", b"a", b"b"))
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)
RECORDS = verify_records(
    [ISSUER.domain(), ISSUER.enrol(ALICE, "alice.isp-a"), ISSUER.enrol(BOB, "bob.isp-a")],
    trust={"isp-a": DOMAIN.identity_key},
    unix_s=1_000,
)


class Recorded:
    """A node's traces, and what its datapath has recorded since somebody asked."""

    def __init__(self, manifests: Iterable[Manifest] = ()) -> None:
        self._fresh: list[Trace] = []
        by_number = {manifest.id: manifest for manifest in manifests}
        self.traces = Traces("sn1.isp-a", by_number, take=self._take)

    def add(self, traces: Iterable[Trace]) -> None:
        self._fresh.extend(traces)

    def find(
        self, *, source: bytes | None = None, connection: int | None = None
    ) -> list[TraceRecord]:
        return self.traces.find(RECORDS, source=source, connection=connection)

    def newest(self, *, ingress: bytes = ALICE.address(1)) -> Passage | None:
        return self.traces.newest(ALICES, ingress=ingress)

    def _take(self) -> list[Trace]:
        taken, self._fresh = self._fresh, []
        return taken


DELIVERY = Manifest(id=16, name="delivery", version="1.2.3", summary="x")


def test_a_trace_says_who_did_what_by_name() -> None:
    traces = Recorded([DELIVERY])
    to = f"forwarded to {BOB.address(1).hex()}"
    traces.add([(7, ALICE.address(1), 16, 9, "decided", to, 1_500, [16, 99], b"")])

    [found] = traces.find()

    assert (found.node, found.source_name, found.to) == ("sn1.isp-a", "alice.isp-a", "bob.isp-a")
    assert (found.how, found.verdict, found.spent_ns) == ("decided", "forwarded", 1_500)
    assert found.modules == (Module(16, "delivery", "1.2.3"), Module(99, "99", ""))


def test_traces_are_found_by_source_and_connection() -> None:
    traces = Recorded([DELIVERY])
    for source in (ALICE, BOB):
        for connection in (1, 2):
            traces.add([(0, source.address(1), 16, connection, "cached", "no_route", 1, [], b"")])

    found = traces.find(source=ALICE.address(1), connection=2)

    assert [(trace.source_name, trace.connection) for trace in found] == [("alice.isp-a", 2)]
    assert len(traces.find(connection=1)) == 2
    assert len(traces.find()) == 4


def test_only_the_newest_are_kept() -> None:
    traces = Recorded([DELIVERY])

    traces.add((number, b"s", 16, 1, "cached", "x", 1, [], b"") for number in range(MAX_TRACES + 5))

    found = traces.find()
    assert (len(found), found[0].now_ns) == (MAX_TRACES, 5)


def test_a_verdict_that_names_no_address_is_left_as_it_is() -> None:
    traces = Recorded()
    traces.add([(0, b"s", 16, 1, "cached", "forwarded to nobody", 1, [], b"")])

    assert traces.find()[0].to == "nobody"


ALICES = Flow(ALICE.address(1), 16, 9)


def step(  # noqa: PLR0913 a step has many fields
    verdict: str,
    *,
    how: str = "cached",
    now_ns: int = 7_000,
    spent_ns: int = 2_000,
    services: tuple[int, ...] = (16,),
    ingress: bytes = ALICES.source,
) -> Trace:
    return (now_ns, *ALICES, how, verdict, spent_ns, list(services), ingress)


def test_the_steps_of_a_packet_are_one_passage_with_all_its_services() -> None:
    traces = Recorded()
    to = f"forwarded to {BOB.address(1).hex()}"
    traces.add(
        [
            step("missed", how="queued", now_ns=5_000, spent_ns=0, services=(91,)),
            step("passed", how="decided", now_ns=6_000, spent_ns=1_000, services=(91,)),
            step(to, now_ns=6_500, spent_ns=1_500),
        ]
    )

    passage = traces.newest()

    assert passage == Passage("decided", "forwarded", BOB.address(1), 1_500, (91, 16))


def test_the_newest_packet_of_a_connection_is_meant() -> None:
    traces = Recorded()
    traces.add([step("no_route", now_ns=3_000), step("hop_limit", now_ns=9_000)])

    passage = traces.newest()

    assert passage is not None
    assert passage.verdict == "hop_limit"


def test_a_packet_is_found_by_whose_pipe_it_came() -> None:
    traces = Recorded()
    traces.add([step("no_route", ingress=b"another")])

    assert traces.newest() is None
    assert traces.newest(ingress=b"another") is not None


def test_what_is_forgotten_is_not_found_by_its_flow() -> None:
    traces = Recorded()
    traces.add([step("no_route")])

    traces.add((number, b"s", 16, 1, "cached", "x", 1, [], b"") for number in range(MAX_TRACES))

    assert traces.newest() is None


def test_what_is_kept_of_many_flows_takes_as_much_memory_however_many_there_were() -> None:
    def add(rounds: range) -> int:
        for number in rounds:
            traces.add(
                [(number, ALICE.address(1), 16, number, "cached", "missed", 9, [16], b"i" * 16)]
            )
            traces.traces.collect()
        return tracemalloc.get_traced_memory()[0]

    traces = Recorded()
    tracemalloc.start()
    try:
        empty_bytes = tracemalloc.get_traced_memory()[0]
        full_bytes = add(range(2 * MAX_TRACES)) - empty_bytes
        more_bytes = add(range(2 * MAX_TRACES, 6 * MAX_TRACES)) - empty_bytes
    finally:
        tracemalloc.stop()

    assert full_bytes < MAX_TRACES * 1_000
    assert more_bytes == pytest.approx(full_bytes, rel=0.02)


def test_what_the_datapath_records_is_fetched_when_somebody_asks() -> None:
    traces = Recorded()
    traces.add([step("no_route")])
    first = traces.newest()

    traces.add([step("hop_limit", now_ns=9_000)])

    assert first is not None
    assert first.verdict == "no_route"
    assert len(traces.find()) == 2
