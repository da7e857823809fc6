"""End-to-end sessions bind what they seal, and carry all datagrams to a host on one connection."""

from itertools import count

import pytest

from ei._core import EndToEnd
from ei.errors import LimitError, NotFoundError
from ei.host.sessions import Sessions, associated_data
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.record_set import verify_records
from ei.sdk import Address

DOMAIN, ALICE, BOB = (make_keys(letter * 32) for letter in (b"d", b"a", b"b"))
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)
RECORDS = verify_records(
    [ISSUER.domain(), ISSUER.enrol(ALICE, "alice.isp-a"), ISSUER.enrol(BOB, "bob.isp-a")],
    trust={"isp-a": DOMAIN.identity_key},
    unix_s=1_000,
)
MS = 1_000_000


def sessions(keys: Keys) -> Sessions:
    numbers = count(1)
    return Sessions(
        keys.address(1),
        EndToEnd(keys.pipe_secret, seed=keys.pipe_secret),
        records=lambda: RECORDS,
        draw=lambda: next(numbers),
    )


def test_what_a_seal_binds_is_pinned() -> None:
    bound = associated_data(b"s" * 16, b"d" * 16, 5)

    assert bound == b"\x10\0\0\0" + b"s" * 16 + b"d" * 16 + b"\x05" + bytes(7)


def test_the_first_datagram_waits_for_a_handshake_and_arrives_after_it() -> None:
    alice, bob = sessions(ALICE), sessions(BOB)
    [first] = alice.seal(MS, BOB.address(1), b"hello")
    assert (first.to, len(first.payloads)) == (BOB.address(1), 1)

    nothing, [answer] = bob.open(2 * MS, ALICE.address(1), first.connection, first.payloads[0])
    _, [sealed] = alice.open(3 * MS, BOB.address(1), answer.connection, answer.payloads[0])
    datagram, _ = bob.open(4 * MS, ALICE.address(1), sealed.connection, sealed.payloads[0])

    assert nothing is None
    assert datagram == b"hello"
    assert sealed.connection == first.connection == alice.connection_to(BOB.address(1))


def test_a_datagram_on_another_connection_does_not_verify() -> None:
    alice, bob = sessions(ALICE), sessions(BOB)
    [first] = alice.seal(MS, BOB.address(1), b"hello")
    _, [answer] = bob.open(2 * MS, ALICE.address(1), first.connection, first.payloads[0])
    _, [sealed] = alice.open(3 * MS, BOB.address(1), answer.connection, answer.payloads[0])

    with pytest.raises(ValueError, match="bad_end_to_end"):
        _ = bob.open(4 * MS, ALICE.address(1), sealed.connection + 1, sealed.payloads[0])


def test_a_message_has_a_connection_of_its_own_also_when_it_waited_for_the_session() -> None:
    alice, bob = sessions(ALICE), sessions(BOB)
    [handshake] = alice.seal(MS, BOB.address(1), b"message", connection=77)
    assert alice.seal(MS, BOB.address(1), b"datagram") == []
    _, [answer] = bob.open(2 * MS, ALICE.address(1), handshake.connection, handshake.payloads[0])

    _, released = alice.open(3 * MS, BOB.address(1), answer.connection, answer.payloads[0])

    ordinary = alice.connection_to(BOB.address(1))
    assert (handshake.connection, handshake.is_message) == (ordinary, False)
    sent = [(each.connection, each.is_message) for each in released]
    assert sent == [(77, True), (ordinary, False)]
    got = [
        bob.open(4 * MS, ALICE.address(1), each.connection, each.payloads[0])[0]
        for each in released
    ]
    assert got == [b"message", b"datagram"]


def test_a_lost_handshake_is_sent_again() -> None:
    alice = sessions(ALICE)
    _ = alice.seal(MS, BOB.address(1), b"hello")

    again = []
    while not again:
        deadline_ns = alice.next_deadline_ns()
        assert deadline_ns is not None
        again = alice.poll(deadline_ns)

    assert deadline_ns < 300 * MS
    assert (again[0].to, again[0].connection) == (
        BOB.address(1),
        alice.connection_to(BOB.address(1)),
    )


def test_no_more_than_so_many_wait_for_a_session() -> None:
    alice = sessions(ALICE)
    for _ in range(64):
        _ = alice.seal(MS, BOB.address(1), b"x")

    with pytest.raises(LimitError, match=r"no session with bob\.isp-a yet"):
        _ = alice.seal(MS, BOB.address(1), b"x")


def test_a_host_without_a_record_is_no_peer() -> None:
    with pytest.raises(NotFoundError, match="no record of the host"):
        _ = sessions(ALICE).seal(MS, Address(bytes(16)), b"x")
