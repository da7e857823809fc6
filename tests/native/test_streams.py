"""The native `Streams`: what crosses the border to Python, and how it is refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ei._core import Streams

ALICE, BOB = b"a" * 16, b"b" * 16
ALICE_KEY, BOB_KEY = b"\x01" * 32, b"\x02" * 32
CONNECTION = 2**63 + 5


class Pair:
    """Two hosts' streams, and payloads that arrive at once."""

    def __init__(self) -> None:
        self.alice = Streams(identity_key=ALICE_KEY, seed=b"\x03" * 32)
        self.bob = Streams(identity_key=BOB_KEY, seed=b"\x04" * 32)
        self.now_ns = 0
        self.events: dict[str, list[tuple[object, ...]]] = {"alice": [], "bob": []}

    def run(self) -> None:
        """Exchange payloads until neither has anything to send or to say."""
        while True:
            to_bob = self.alice.take_transmits(self.now_ns)
            to_alice = self.bob.take_transmits(self.now_ns)
            for peer, connection, payloads in to_bob:
                assert peer == BOB
                self.bob.handle_many(self.now_ns, ALICE, connection, payloads)
            for peer, connection, payloads in to_alice:
                assert peer == ALICE
                self.alice.handle_many(self.now_ns, BOB, connection, payloads)
            self.events["alice"] += self.alice.take_events()
            self.events["bob"] += self.bob.take_events()
            if not to_bob and not to_alice:
                deadlines = [self.alice.next_deadline_ns(), self.bob.next_deadline_ns()]
                soon = min(at_ns for at_ns in deadlines if at_ns is not None)
                if soon > self.now_ns + 100_000_000:
                    return
                self.now_ns = max(self.now_ns, soon)
                self.alice.poll(self.now_ns)
                self.bob.poll(self.now_ns)

    def connect(self) -> None:
        self.alice.connect(self.now_ns, BOB, CONNECTION, self.bob.public_key)
        self.run()
        assert self.events["bob"] == [("key_wanted", ALICE, CONNECTION)]
        self.bob.accept(self.now_ns, ALICE, CONNECTION, self.alice.public_key)
        self.run()
        assert ("connected", BOB, CONNECTION) in self.events["alice"]
        assert ("connected", ALICE, CONNECTION) in self.events["bob"]
        self.events = {"alice": [], "bob": []}


@pytest.fixture
def pair() -> Pair:
    """Alice connected to Bob."""
    pair = Pair()
    pair.connect()
    return pair


def test_bytes_go_there_and_back(pair: Pair) -> None:
    stream = pair.alice.open_stream(BOB, CONNECTION, is_bidirectional=True)
    assert stream is not None
    question, answer = b"q" * 100_000, b"a" * 50_000

    assert pair.alice.write(BOB, CONNECTION, stream, question) == len(question)
    pair.alice.finish(BOB, CONNECTION, stream)
    pair.run()

    assert ("stream_opened", ALICE, CONNECTION, stream, True) in pair.events["bob"]
    assert ("readable", ALICE, CONNECTION, stream) in pair.events["bob"]
    assert pair.bob.read(ALICE, CONNECTION, stream, 1_000_000) == (question, "finished", 0)
    assert pair.bob.write(ALICE, CONNECTION, stream, answer, 10) == len(answer) - 10
    pair.bob.finish(ALICE, CONNECTION, stream)
    pair.run()
    assert pair.alice.read(BOB, CONNECTION, stream, 1_000) == (answer[:1_000], "open", 0)
    assert pair.alice.read(BOB, CONNECTION, stream, 1_000_000)[1] == "finished"
    assert ("stream_finished", BOB, CONNECTION, stream) in pair.events["alice"]


def test_a_wrong_key_ends_the_connection_with_both_keys_named() -> None:
    pair = Pair()
    expected = b"\x07" * 32

    pair.alice.connect(0, BOB, CONNECTION, expected)
    pair.run()
    pair.bob.accept(pair.now_ns, ALICE, CONNECTION, pair.alice.public_key)
    pair.run()

    [lost] = pair.events["alice"]
    assert lost[:4] == ("lost", BOB, CONNECTION, "wrong_identity")
    assert pair.bob.public_key.hex() in str(lost[4])
    assert expected.hex() in str(lost[4])


def test_reset_and_stop_reach_the_other_side_with_their_codes(pair: Pair) -> None:
    stream = pair.alice.open_stream(BOB, CONNECTION, is_bidirectional=True)
    assert stream is not None
    _ = pair.alice.write(BOB, CONNECTION, stream, b"x")

    pair.alice.reset(BOB, CONNECTION, stream, 7)
    pair.alice.stop(BOB, CONNECTION, stream, 8)
    pair.run()

    assert ("stream_reset", ALICE, CONNECTION, stream, 7) in pair.events["bob"]
    assert ("stream_stopped", ALICE, CONNECTION, stream, 8) in pair.events["bob"]
    with pytest.raises(ConnectionError, match=f"stream {stream} is closed"):
        _ = pair.bob.write(ALICE, CONNECTION, stream, b"y")


def test_close_tells_the_peer_code_and_reason(pair: Pair) -> None:
    pair.alice.close(pair.now_ns, BOB, CONNECTION, code=3, reason="done")
    pair.run()

    assert pair.events["bob"] == [
        ("lost", ALICE, CONNECTION, "closed", "the peer closed with code 3: done", 3)
    ]


def test_transmits_of_an_entry_have_one_length_but_the_last(pair: Pair) -> None:
    stream = pair.alice.open_stream(BOB, CONNECTION, is_bidirectional=False)
    assert stream is not None
    _ = pair.alice.write(BOB, CONNECTION, stream, bytes(20_000))

    transmits = pair.alice.take_transmits(pair.now_ns, 4)

    [(_, _, payloads)] = transmits
    assert {len(payload) for payload in payloads[:-1]} == {1_232}
    assert len(payloads[-1]) <= 1_232


def test_what_is_not_quic_is_counted(pair: Pair) -> None:
    pair.bob.handle_many(pair.now_ns, ALICE, CONNECTION, [b"", b"\x00", bytes(1_500), b"\xff" * 99])

    assert pair.bob.statistics()["payloads_unknown"] == 4
    assert pair.bob.connection_statistics(ALICE, CONNECTION)["is_up"] == 1


def test_wrong_arguments_are_named_with_what_is_allowed(pair: Pair) -> None:
    with pytest.raises(ValueError, match="peer of 3 bytes is not of 16 bytes"):
        pair.alice.connect(0, b"abc", 1, BOB_KEY)
    with pytest.raises(ValueError, match="max_payload_bytes is 1199, allowed are 1200 to 65000"):
        _ = Streams(identity_key=ALICE_KEY, max_payload_bytes=1_199)
    with pytest.raises(ValueError, match=r"idle_timeout_s is -1\.?0?, allowed are 0 to 1e9"):
        _ = Streams(identity_key=ALICE_KEY, idle_timeout_s=-1.0)
    with pytest.raises(ValueError, match="start 2 is behind the end of data of 1 bytes"):
        _ = pair.alice.write(BOB, CONNECTION, 0, b"x", 2)
    with pytest.raises(ValueError, match="exceeds the largest code or stream"):
        pair.alice.reset(BOB, CONNECTION, 0, 2**62)


def test_an_unknown_connection_is_a_connection_error(pair: Pair) -> None:
    with pytest.raises(ConnectionError, match="no stream connection 0x1"):
        _ = pair.alice.open_stream(BOB, 1, is_bidirectional=True)
    with pytest.raises(ConnectionError, match="exists already"):
        pair.alice.connect(0, BOB, CONNECTION, BOB_KEY)
    with pytest.raises(ConnectionError, match="waits for an answer"):
        pair.alice.refuse(0, BOB, 1)


def test_several_threads_may_use_one_endpoint(pair: Pair) -> None:
    stream = pair.alice.open_stream(BOB, CONNECTION, is_bidirectional=False)
    assert stream is not None

    def work(rounds: int) -> int:
        taken = 0
        for _ in range(rounds):
            taken += pair.alice.write(BOB, CONNECTION, stream, bytes(1_000))
            transmits = pair.alice.take_transmits(pair.now_ns)
            for _peer, connection, payloads in transmits:
                pair.bob.handle_many(pair.now_ns, ALICE, connection, payloads)
            for _peer, connection, payloads in pair.bob.take_transmits(pair.now_ns):
                pair.alice.handle_many(pair.now_ns, BOB, connection, payloads)
        return taken

    with ThreadPoolExecutor(4) as threads:
        taken = sum(threads.map(work, [100] * 4))
    pair.run()

    data, _, _ = pair.bob.read(ALICE, CONNECTION, stream, 1_000_000)
    assert len(data) == taken == 400_000
