"""What the digest of a run promises."""

import pytest

from ei.lab.eventlog import Entry, EventLog, read_entry, split_entries, whole_digest


def log_of(*, length: int = 100, fate: str = "forwarded", headers: bytes = b"h") -> EventLog:
    log = EventLog()
    log.datagram(1_000, domain="isp-a", link=1, length=length, fate=fate)
    log.headers("sn1.isp-a", headers)
    log.note(2_000, "kill sn1.isp-a")
    return log


def test_the_same_events_have_the_same_digest() -> None:
    assert log_of().digest() == log_of().digest()


def test_time_length_fate_and_headers_are_part_of_the_digest() -> None:
    digests = {
        log_of().digest(),
        log_of(length=101).digest(),
        log_of(fate="delivered").digest(),
        log_of(headers=b"i").digest(),
    }

    assert len(digests) == 4


def test_reading_the_digest_does_not_end_the_log() -> None:
    log = log_of()
    before = log.digest()
    log.note(3_000, "more")

    assert log.digest() != before


def test_entries_that_come_together_are_those_that_came_singly() -> None:
    single, together = EventLog(), EventLog()
    seen: list[bytes] = []
    single.watch = seen.append
    for now_ns in (1_000, 2_000):
        single.datagram(now_ns, domain="d", link=1, length=9, fate="delivered")
    watched: list[bytes] = []
    together.watch = watched.append

    together.add_datagrams("d", b"".join(seen))

    assert watched == seen
    assert together.digest() == single.digest()


def test_a_long_log_takes_no_more_memory_than_a_short_one() -> None:
    log = EventLog()
    for now_ns in range(20_000):
        log.datagram(now_ns, domain="isp-a", link=1, length=64, fate="forwarded")

    assert len(log._logs["isp-a"].pending) < 20_000  # noqa: SLF001 its bound is the promise


def test_the_logs_of_datapaths_may_come_in_any_order_between_them() -> None:
    one, other = EventLog(), EventLog()
    one.headers("a", b"1")
    one.headers("b", b"2")
    other.headers("b", b"2")
    other.headers("a", b"1")

    assert one.digest() == other.digest()


def test_the_domains_of_a_run_may_be_in_several_processes() -> None:
    whole, one, other = EventLog(), EventLog(), EventLog()
    for log, domain in ((one, "isp-a"), (other, "isp-b"), (one, "isp-a")):
        for each in (whole, log):
            each.datagram(1_000, domain=domain, link=1, length=64, fate="forwarded")
    for log, name in ((one, "sn1.isp-a"), (other, "sn1.isp-b")):
        for each in (whole, log):
            each.headers(name, b"header")

    assert whole_digest({**other.digests(), **one.digests()}) == whole.digest()


def test_who_watches_gets_each_entry_as_it_comes() -> None:
    seen: list[bytes] = []
    log = EventLog()
    log.watch = seen.append

    log.datagram(1_000, domain="isp-a", link=3, length=100, fate="forwarded")
    log.note(2_000, "kill sn1.isp-a")

    assert [read_entry(entry) for entry in seen] == [
        Entry(1_000, 3, 100, "forwarded"),
        Entry(2_000, 0, 0, "kill sn1.isp-a"),
    ]


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_entries_are_found_again_in_pieces_of_any_size(size: int) -> None:
    seen: list[bytes] = []
    log = EventLog()
    log.watch = seen.append
    for number in range(10):
        log.datagram(number, domain="isp-a", link=1, length=number, fate="delivered"[:number])
        log.note(number, "x" * number)
    whole = b"".join(seen) + seen[0][:-1]

    found = split_entries(whole[at : at + size] for at in range(0, len(whole), size))

    assert list(found) == seen
