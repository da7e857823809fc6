"""Frames are answered as they ask, and nothing that is received raises."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from ei._core import EndToEnd
from ei.host.datagrams import Datagrams
from ei.host.events import DatagramReceived, EchoReceived, HostEvent, ReceiptReceived
from ei.host.sessions import Outgoing, Sessions
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
NODE = Address(b"n" * 16)


class End:
    """One host's datagrams, what they want to send, and what happened."""

    def __init__(self, keys: Keys) -> None:
        numbers = count(1)
        self.address = keys.address(1)
        self.out: list[Outgoing] = []
        self.traced: list[bool] = []
        self.is_full = False
        self.events: list[HostEvent] = []
        sessions = Sessions(
            self.address,
            EndToEnd(keys.pipe_secret, seed=keys.pipe_secret),
            records=lambda: RECORDS,
            draw=lambda: next(numbers),
        )
        self.datagrams = Datagrams(sessions, send=self.send, emit=self.events.append)

    def send(self, _now_ns: int, outgoing: Outgoing, *, is_traced: bool = False) -> Address | None:
        self.out.append(outgoing)
        self.traced.append(is_traced)
        return None if self.is_full else NODE


def exchange(a: End, b: End) -> None:
    """Carry payloads to and fro until nobody has any."""
    now_ns = 10 * MS
    while a.out or b.out:
        for source, to in ((a, b), (b, a)):
            sent, source.out = source.out, []
            for outgoing in sent:
                for payload in outgoing.payloads:
                    now_ns += MS
                    to.datagrams.take(now_ns, source.address, outgoing.connection, payload)


def test_a_datagram_and_its_receipt_cross() -> None:
    alice, bob = End(ALICE), End(BOB)
    number = alice.datagrams.send_message(MS, bob.address, b"x", port=7, source_port=9).number
    exchange(alice, bob)
    [received] = bob.events
    assert received == DatagramReceived(alice.address, 9, 7, b"x", number)
    assert isinstance(received, DatagramReceived)

    bob.datagrams.acknowledge(2 * MS, received, "dropped")
    exchange(alice, bob)

    assert alice.events == [ReceiptReceived(bob.address, number, "dropped")]
    assert bob.datagrams.sent["refusal"] == alice.datagrams.received["refusal"] == 1


def test_a_datagram_that_asks_for_no_receipt_gets_none() -> None:
    alice, bob = End(ALICE), End(BOB)
    _ = alice.datagrams.send(MS, bob.address, b"x", port=7)
    exchange(alice, bob)
    [received] = bob.events
    assert isinstance(received, DatagramReceived)

    bob.datagrams.acknowledge(2 * MS, received, "delivered")

    assert [outgoing for outgoing in bob.out if outgoing.payloads] == []


def test_an_echo_is_answered_without_anybody_being_asked() -> None:
    alice, bob = End(ALICE), End(BOB)

    number = alice.datagrams.ping(MS, bob.address, b"data")
    exchange(alice, bob)

    [echo] = alice.events
    assert isinstance(echo, EchoReceived)
    assert (echo.number, echo.data) == (number, b"data")
    assert bob.events == []


def test_a_host_reaches_itself_without_anything_leaving() -> None:
    alice = End(ALICE)

    _ = alice.datagrams.send(MS, alice.address, b"x", port=7)
    number = alice.datagrams.ping(MS, alice.address)

    assert alice.out == []
    assert alice.events == [
        DatagramReceived(alice.address, 0, 7, b"x", None),
        EchoReceived(alice.address, number, b"", MS),
    ]


@given(st.binary(max_size=200))
def test_any_payload_is_counted_and_raises_nothing(payload: bytes) -> None:
    bob = End(BOB)

    bob.datagrams.take(MS, ALICE.address(1), 1, payload)

    assert bob.events == []


def with_session() -> tuple[End, End]:
    """Return two hosts that have talked, with nothing under way."""
    alice, bob = End(ALICE), End(BOB)
    _ = alice.datagrams.send(MS, bob.address, b"x", port=7)
    exchange(alice, bob)
    alice.traced.clear()
    bob.events.clear()
    return alice, bob


def test_a_message_leaves_traced_on_a_connection_of_its_own() -> None:
    alice, bob = with_session()

    message = alice.datagrams.send_message(MS, bob.address, b"x", port=7)

    assert [each.connection for each in alice.out] == [message.connection]
    assert message.connection != alice.datagrams.connection_to(bob.address)
    assert (message.node, alice.traced) == (NODE, [True])


def test_a_message_that_waits_for_its_session_has_been_handed_to_nobody() -> None:
    alice, bob = End(ALICE), End(BOB)

    message = alice.datagrams.send_message(MS, bob.address, b"x", port=7)
    before = message.node
    exchange(alice, bob)

    assert (before, message.node) == (None, NODE)


def test_a_message_that_was_given_up_while_it_waited_never_leaves() -> None:
    alice, bob = End(ALICE), End(BOB)
    message = alice.datagrams.send_message(MS, bob.address, b"x", port=7)

    alice.datagrams.close_message(message)
    exchange(alice, bob)

    assert bob.events == []
    assert alice.datagrams.dropped["given_up"] == 1


def test_a_message_that_the_pipe_refuses_is_known_to_have_ended_here() -> None:
    alice, bob = with_session()
    alice.is_full = True

    message = alice.datagrams.send_message(MS, bob.address, b"x", port=7)

    assert message.is_refused
    assert not alice.datagrams.send(MS, bob.address, b"x", port=7)


def test_what_waits_for_a_session_is_bounded_and_the_rest_is_refused() -> None:
    alice, bob = End(ALICE), End(BOB)

    taken = [alice.datagrams.send(MS, bob.address, b"x", port=7) for _ in range(66)]

    assert taken == [True] * 64 + [False] * 2
    assert alice.datagrams.send_message(MS, bob.address, b"x", port=7).is_refused
    assert alice.datagrams.dropped["send_refused"] == 3


def test_what_is_kept_for_good_is_said_so() -> None:
    alice, bob = with_session()
    message = alice.datagrams.send_message(MS, bob.address, b"x", port=7)
    exchange(alice, bob)
    [received] = bob.events
    assert isinstance(received, DatagramReceived)

    bob.datagrams.acknowledge(2 * MS, received, "durable")
    exchange(alice, bob)

    assert alice.events == [ReceiptReceived(bob.address, message.number, "durable")]
