"""What termination promises, as scripts of events.

alice ── self ── server                    alice ── self ── far.2 ── server
"""

import pytest

from ei.errors import (
    ConfigError,
    DeadlineError,
    DeniedError,
    EiError,
    LocalError,
    StreamError,
    UnreachableError,
)
from ei.sdk import (
    AtHost,
    AtNode,
    CloseStream,
    DropPacket,
    InstallDecision,
    Legacy,
    OpenStream,
    PacketArrived,
    SpliceStreams,
    StartTls,
    StreamClosed,
    StreamOpened,
    StreamWritable,
    WriteStream,
)
from ei.services.termination.client import error_of, written
from ei.services.termination.messages import (
    OPEN,
    Opening,
    Status,
    read_opening,
    read_status,
    write_opening,
    write_status,
)
from ei.testing import FarEnd, Playbook, address

SERVER = Legacy("www.example.org", 443)
SELF, FAR = address("self"), address("far.2")
FAR_TEXT = "fd35:0:2:6661:7200::"
NAME = bytes(range(16))
HTTP = "9400a16850a3746370"


def asked(play: Playbook, opening: Opening) -> tuple[FarEnd, FarEnd]:
    """Let alice ask for a target; return both other ends."""
    alice = play.open_stream("alice", write_opening(opening))
    return alice, play.far_end(alice.stream | 1)


def status_of(end: FarEnd) -> Status:
    found = read_status(end.read())
    assert found is not None
    return found[0]


def test_a_stream_goes_on_to_its_server_and_bytes_go_both_ways() -> None:
    play = Playbook("termination", peers=["alice"])
    alice, server = asked(play, Opening(SERVER))
    _ = alice.write(b"before anybody answered")
    assert server.to == SERVER

    _ = server.accept()
    _ = server.write(b"hello")

    assert server.read() == b"before anybody answered"
    assert alice.read() == write_status(OPEN) + b"hello"
    _ = server.end()
    assert (alice.is_ended, alice.closed) == (True, "")
    _ = alice.end()
    assert (alice.closed, server.closed) == ("ended", "ended")


def test_the_service_says_where_to_and_never_sees_a_byte() -> None:
    play = Playbook("termination", peers=["alice"])
    opening = write_opening(Opening(SERVER))

    assert play >> StreamOpened(2, address("alice"), opening, 9_999) << OpenStream(3, SERVER)
    assert (
        play
        >> StreamOpened(3, SELF, b"", 9_999)
        << WriteStream(2, write_status(OPEN))
        << SpliceStreams(2, 3)
    )
    assert play >> StreamWritable(2, 9_999)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("refused", "www.example.org:443 accepts no connection"),
        ("unreachable", "does not reach www.example.org:443, or finds no address of that name"),
        ("not_allowed", "the operator of node fd35:0:1:7365:6c66:: does not allow www.example.org"),
        ("deadline", "www.example.org:443 has not answered within 10 s"),
        ("too_many_streams", "carries as many streams as it may"),
        ("lost", "www.example.org:443 has ended: lost"),
    ],
)
def test_who_asked_is_told_why_not_and_no_more(reason: str, said: str) -> None:
    play = Playbook("termination", peers=["alice"])
    alice, server = asked(play, Opening(SERVER))
    _ = alice.write(b"before anybody answered")

    _ = server.refuse(reason)

    status = status_of(alice)
    assert status.word == reason
    assert said in status.detail
    assert (alice.is_ended, alice.closed) == (True, "closed")


def test_what_is_no_opening_is_refused_with_what_is_wrong() -> None:
    play = Playbook("termination", peers=["alice"])

    alice = play.open_stream("alice", b"\x92\x01\x02")

    status = status_of(alice)
    assert status.word == "bad_opening"
    assert "Expected `array`, got `int` - at `$[0]`" in status.detail
    assert alice.closed == "closed"


def test_a_name_that_is_no_name_is_refused_before_anybody_is_asked() -> None:
    play = Playbook("termination", peers=["alice"])

    for name in ("é" * 200, "two words", "a\0b"):
        alice = play.open_stream("alice", write_opening(Opening(Legacy(name, 80))))
        assert status_of(alice).word == "bad_opening"


def test_a_server_that_does_not_answer_in_time_is_given_up() -> None:
    play = Playbook("termination", peers=["alice"], config={"open_s": 3.0})
    alice, _ = asked(play, Opening(SERVER))

    _ = play.advance(3.0)

    assert status_of(alice).word == "deadline"


def test_who_gives_up_leaves_nothing_open() -> None:
    play = Playbook("termination", peers=["alice"])
    alice, server = asked(play, Opening(SERVER))

    assert alice.reset() == (CloseStream(alice.stream | 1),)

    assert server.closed == "closed"
    assert play.statistics().ephemeral.used_bytes == 0


def test_a_server_that_answers_who_is_gone_is_closed() -> None:
    play = Playbook("termination")

    assert play >> StreamOpened(7, SELF, b"", 9_999) << CloseStream(7)


def test_a_server_that_breaks_in_the_middle_breaks_the_stream() -> None:
    play = Playbook("termination", peers=["alice"])
    alice, server = asked(play, Opening(SERVER))
    _ = server.accept()
    _ = server.write(b"half of")

    assert set(server.reset()) <= {CloseStream(alice.stream), CloseStream(server.stream)}

    assert (alice.closed, alice.is_ended) == ("reset", False)


@pytest.mark.parametrize("gone", [2, 3])
def test_b8_who_goes_while_the_two_are_joined_leaves_nothing_open(gone: int) -> None:
    play = Playbook("termination", peers=["alice"])
    _ = play.deliver(StreamOpened(2, address("alice"), write_opening(Opening(SERVER)), 9_999))
    _ = play.deliver(StreamOpened(3, SELF, b"", 9_999))

    assert play >> StreamClosed(gone, "reset", 0, 0) << CloseStream(gone ^ 1)


def test_a_reader_that_stands_still_stops_who_writes() -> None:
    play = Playbook("termination", peers=["alice"])
    alice, server = asked(play, Opening(SERVER))
    _ = server.accept()

    _ = server.write(bytes(1_000_000))

    assert len(alice.read()) == 65_536
    assert len(alice.read()) == 65_536


@pytest.mark.parametrize(
    ("exits", "node"),
    [
        ({}, None),
        ({"*": FAR_TEXT}, FAR),
        ({"example.org": FAR_TEXT}, FAR),
        ({"www.example.org": FAR_TEXT, "*": "fd35:0:1:7365:6c66::"}, FAR),
        ({"ample.org": FAR_TEXT}, None),
        ({"*": "fd35:0:1:7365:6c66::"}, None),
        ({"example.org": "fd35:0:1:7365:6c66::", "*": FAR_TEXT}, None),
    ],
)
def test_the_exit_whose_name_says_most_is_chosen(exits: dict[str, str], node: bytes | None) -> None:
    play = Playbook("termination", peers=["alice", "far.2"], config={"exits": exits})
    _, onward = asked(play, Opening(SERVER))

    assert onward.to == (
        SERVER if node is None else AtNode(FAR, write_opening(Opening(SERVER, exit=FAR)))
    )


def test_an_exit_that_the_host_names_counts_before_the_nodes_own() -> None:
    play = Playbook("termination", peers=["alice"], config={"exits": {"*": FAR_TEXT}})

    _, onward = asked(play, Opening(SERVER, exit=SELF))

    assert onward.to == SERVER


def test_only_the_last_node_says_how_it_went() -> None:
    play = Playbook("termination", peers=["alice", "far.2"])
    alice, far = asked(play, Opening(SERVER, exit=FAR))

    _ = far.accept(FAR)
    _ = far.write(write_status(Status("refused", "no")), is_end=True)

    assert alice.read() == write_status(Status("refused", "no"))
    assert alice.is_ended


def test_an_exit_that_cannot_be_reached_is_the_first_nodes_to_tell() -> None:
    play = Playbook("termination", peers=["alice"])
    alice, far = asked(play, Opening(SERVER, exit=FAR))

    _ = far.refuse("unreachable")

    status = status_of(alice)
    assert status.word == "unreachable"
    assert "does not reach the node that is to go on to www.example.org:443" in status.detail


def test_a_stream_may_go_on_to_another_host() -> None:
    bob = AtHost(address("bob.2"), 7)
    play = Playbook("termination", peers=["alice"])

    alice, onward = asked(play, Opening(bob))
    assert onward.to == bob
    _ = onward.refuse("unreachable")

    assert "[fd35:0:2:626f:6200::]:7" in status_of(alice).detail


def test_nothing_is_kept_of_what_is_open_or_over() -> None:
    play = Playbook("termination", peers=["alice"])
    for reason in ("", "refused"):
        _, server = asked(play, Opening(SERVER))
        _ = server.refuse(reason) if reason else server.accept()

    assert play.statistics().ephemeral.used_bytes == 0
    assert play >> StreamClosed(server.stream, "ended", 1, 1)


def test_a_datagram_target_is_spelled_as_one() -> None:
    play = Playbook("termination", peers=["alice"])
    alice, server = asked(play, Opening(Legacy("192.0.2.1", 53, "udp")))

    _ = server.refuse("not_allowed")

    assert "192.0.2.1:53/udp" in status_of(alice).detail


def test_packets_that_belong_to_no_stream_are_refused() -> None:
    play = Playbook("termination", peers=["alice"])
    packet = play.make_packet("alice")

    assert play >> PacketArrived(packet) << InstallDecision << DropPacket("streams_only")


def test_an_exit_that_is_no_address_is_refused_before_it_runs() -> None:
    with pytest.raises(ConfigError, match=r"exits\.example\.org: not the address of a node"):
        _ = Playbook("termination", config={"exits": {"example.org": "far.isp-b"}})


# -- sites ----------------------------------------------------------------------------------------

SITE: dict[str, object] = {"sites": {"www.example.org": "192.0.2.7:80"}}
ORIGIN = Legacy("192.0.2.7", 80)


def test_the_tls_of_a_site_ends_here_and_its_origin_is_reached_in_the_clear() -> None:
    play = Playbook("termination", peers=["alice"], config={**SITE, "ahead": {"192.0.2.7:80": 4}})
    opening = write_opening(Opening(Legacy("WWW.Example.org.", 443)))

    assert (
        play
        >> StreamOpened(2, address("alice"), opening, 9_999)
        << OpenStream(3, ORIGIN, ahead=4)
        << WriteStream(2, write_status(OPEN))
        << StartTls(2, "www.example.org")
    )
    assert play >> StreamOpened(3, SELF, b"", 9_999) << SpliceStreams(2, 3)


def test_the_exit_of_a_site_is_told_that_nobody_waits_for_its_word() -> None:
    config = {**SITE, "exits": {"example.org": FAR_TEXT}}
    play = Playbook("termination", peers=["alice", "far.2"], config=config)

    alice, far = asked(play, Opening(SERVER))
    onward = Opening(ORIGIN, exit=FAR, is_told=True)
    assert far.to == AtNode(FAR, write_opening(onward))
    _ = far.accept(FAR)
    _ = far.write(b"answer")

    assert alice.read() == write_status(OPEN) + b"answer"


def test_an_exit_says_nothing_to_who_has_said_it_all() -> None:
    play = Playbook("termination", peers=["near.2"], config={"ahead": {"[2001:db8::7]:80": 2}})
    target = Legacy("2001:db8::7", 80)
    near = play.open_stream("near.2", write_opening(Opening(target, exit=SELF, is_told=True)))
    server = play.far_end(near.stream | 1)
    assert server.to == target

    _ = server.accept()
    _ = server.write(b"hello")

    assert near.read() == b"hello"


@pytest.mark.parametrize("reason", ["refused", "not_allowed", "deadline"])
def test_an_origin_that_does_not_open_resets_who_was_told_that_it_had(reason: str) -> None:
    play = Playbook("termination", peers=["alice"], config=SITE)
    alice, origin = asked(play, Opening(SERVER))

    assert origin.refuse(reason) == (CloseStream(alice.stream),)

    assert (alice.closed, alice.is_ended) == ("closed", False)


def test_a_client_that_does_not_agree_gives_its_origin_up() -> None:
    play = Playbook("termination", peers=["alice"], config=SITE)
    _ = play.deliver(StreamOpened(2, address("alice"), write_opening(Opening(SERVER)), 9_999))

    assert play >> StreamClosed(2, "bad_tls", 0, 0) << CloseStream(3)


@pytest.mark.parametrize(
    "opening",
    [
        Opening(Legacy("www.example.org", 80)),
        Opening(Legacy("www.example.org", 443, "udp")),
        Opening(Legacy("example.org", 443)),
        Opening(SERVER, exit=FAR),
        Opening(SERVER, is_told=True),
    ],
)
def test_what_is_not_the_site_goes_through_untouched(opening: Opening) -> None:
    play = Playbook("termination", peers=["alice", "far.2"], config=SITE)

    effects = play.deliver(StreamOpened(2, address("alice"), write_opening(opening), 9_999))

    assert not [effect for effect in effects if isinstance(effect, StartTls)]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"sites": {"a.example": "192.0.2.7"}}, r"sites\.a\.example: '192.0.2.7' seen, HOST:PORT"),
        ({"sites": {"a.example": "b:0"}}, r"sites\.a\.example: 'b:0' seen, HOST:PORT allowed"),
        ({"ahead": {"b:x": 1}}, "ahead: 'b:x' seen, HOST:PORT allowed"),
        ({"ahead": {"b:80": 65}}, "Expected `int` <= 64"),
    ],
)
def test_sites_and_targets_that_are_none_are_refused(config: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _ = Playbook("termination", config=config)


# -- the bytes ------------------------------------------------------------------------------------


def test_openings_and_statuses_are_arrays() -> None:
    opening = Opening(Legacy("h", 80), exit=FAR)

    assert write_opening(opening).hex() == "95" + HTTP + "c410" + FAR.hex() + "c2c0c0"
    assert read_opening(write_opening(opening)) == opening
    assert write_status(OPEN).hex() == "0500" + "94a0a0c000"


def test_fields_that_were_appended_may_be_missing() -> None:
    assert read_opening(bytes.fromhex("92" + HTTP + "c0")) == Opening(Legacy("h", 80))
    assert read_status(bytes.fromhex("0300" + "92a0a0")) == (OPEN, 5)


def test_an_opening_that_takes_the_place_of_another_says_whose_and_from_where() -> None:
    opening = Opening(Legacy("h", 80), session=NAME, has=300)

    assert write_opening(opening).hex() == "95" + HTTP + "c0c2" + "c410" + NAME.hex() + "cd012c"
    assert read_opening(write_opening(opening)) == opening
    with pytest.raises(ValueError, match="length >= 16"):
        _ = read_opening(write_opening(Opening(Legacy("h", 80), session=b"short")))


def test_a_status_is_read_once_it_is_there() -> None:
    written = write_status(Status("refused", "no"))

    assert [read_status(written[:length]) for length in range(len(written))] == [None] * len(
        written
    )
    assert read_status(written + b"more") == (Status("refused", "no"), len(written))


@pytest.mark.parametrize(
    ("received", "said"),
    [(b"\x01\x04", "a status of 1025 B: at most 1024 allowed"), (b"\x01\x00\xc0", "not a status")],
)
def test_what_is_no_status_is_refused(received: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _ = read_status(received)


# -- on a host ------------------------------------------------------------------------------------


def test_names_are_written_as_the_dns_does() -> None:
    assert written("www.example.org") == "www.example.org"
    assert written("bücher.example") == "xn--bcher-kva.example"
    assert written("2001:db8::1") == "2001:db8::1"


@pytest.mark.parametrize("name", ["", "a" * 254, "two words", "a\0b", "é" * 200])
def test_what_is_no_name_is_refused_here(name: str) -> None:
    with pytest.raises(LocalError, match="is not the name of a server"):
        _ = written(name)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("not_allowed", DeniedError),
        ("unreachable", UnreachableError),
        ("deadline", DeadlineError),
        ("refused", StreamError),
        ("bad_opening", StreamError),
    ],
)
def test_a_status_is_an_error_of_its_kind(word: str, kind: type[EiError]) -> None:
    error = error_of(Status(word, "no"))

    assert type(error) is kind
    assert str(error) == "no"
    assert not isinstance(error, StreamError) or error.kind == word
