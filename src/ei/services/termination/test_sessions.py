"""What an exit promises to hosts whose streams are lost on the way, as scripts of events.

alice ══ far.2 ══ self ── server         far.2 dies
alice ══ near  ══ self ── server         and near goes on
"""

import pytest

from ei.sdk import (
    Address,
    AtNode,
    CancelTimer,
    CloseStream,
    Count,
    Legacy,
    OpenStream,
    SetTimer,
    SpliceStreams,
    StreamClosed,
    StreamOpened,
    TimerFired,
    WriteStream,
)
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
SELF, FAR, NEAR = address("self"), address("far.2"), address("near")
NAME = bytes(range(16))
FIRST = write_opening(Opening(SERVER, session=NAME))
KEEP, RESUME_S, LINGER_S = 10_485_760, 30.0, 3.0


def again(has: int, name: bytes = NAME) -> bytes:
    return write_opening(Opening(SERVER, session=name, has=has))


def carried(**config: object) -> tuple[Playbook, FarEnd, FarEnd]:
    """Let a session begin; return the end of the node that carries it, and the server's."""
    play = Playbook("termination", peers=["far.2", "near"], config=config)
    far = play.open_stream("far.2", FIRST)
    server = play.far_end(far.stream | 1)
    _ = server.accept()
    assert status_of(far) == Status("", exit=SELF)
    return play, far, server


def status_of(end: FarEnd) -> Status:
    found = read_status(end.read())
    assert found is not None
    return found[0]


def used_bytes(play: Playbook) -> int:
    return play.statistics().ephemeral.used_bytes


def test_the_service_keeps_for_a_session_and_splices_again_where_the_host_says() -> None:
    play = Playbook("termination", peers=["far.2", "near"])

    assert play >> StreamOpened(2, FAR, FIRST, 9_999) << OpenStream(3, SERVER)
    assert (
        play
        >> StreamOpened(3, SELF, b"", 9_999)
        << WriteStream(2, write_status(Status("", exit=SELF)))
        << SpliceStreams(2, 3, keep_bytes=KEEP)
    )
    assert play >> StreamClosed(2, "lost", 70, 0) << SetTimer(NAME, RESUME_S)
    assert (
        play
        >> StreamOpened(4, NEAR, again(0), 9_999)
        << CancelTimer(NAME)
        << WriteStream(4, write_status(Status("", exit=SELF, taken=70)))
        << SpliceStreams(4, 3, keep_bytes=KEEP, from_byte=0)
    )


def test_a_lost_stream_is_taken_up_by_another_node_and_no_byte_is_missing() -> None:
    play, far, server = carried()
    _ = server.write(b"0123456789")
    _ = far.write(b"abc")
    assert far.read() == b"0123456789"

    _ = far.refuse("lost")
    _ = server.write(b"xyz")
    near = play.open_stream("near", again(7))

    received = near.read()
    status = write_status(Status("", exit=SELF, taken=3))
    assert received == status + b"789xyz"
    _ = near.write(b"def", is_end=True)
    _ = server.end()
    assert server.read() == b"abcdef"
    assert near.closed == "ended"


def test_who_comes_before_the_loss_was_noticed_takes_the_place_at_once() -> None:
    play, far, server = carried()
    _ = far.write(b"abc")
    _ = server.write(b"hello")

    near = play.open_stream("near", again(0))

    assert far.closed == "closed"
    assert near.read() == write_status(Status("", exit=SELF, taken=3)) + b"hello"
    assert server.closed == ""


def test_bytes_of_the_host_are_counted_over_all_its_streams() -> None:
    play, far, server = carried()
    _ = far.write(b"abc")
    near = play.open_stream("near", again(0))
    _ = near.write(b"de")

    last = play.open_stream("far.2", again(0))

    assert status_of(last).taken == 5
    assert server.read() == b"abcde"


def test_of_two_that_come_for_the_same_the_later_has_it() -> None:
    play, far, server = carried()
    _ = server.write(b"hello")
    near = play.open_stream("near", again(0))
    assert near.read().endswith(b"hello")

    later = play.open_stream("near", again(1))

    assert (far.closed, near.closed) == ("closed", "closed")
    assert later.read().endswith(b"ello")


def test_what_nobody_takes_up_is_closed_in_time() -> None:
    play, far, server = carried()
    _ = far.refuse("lost")

    _ = play.advance(RESUME_S - 0.1)
    assert server.closed == ""
    _ = play.advance(0.2)

    assert server.closed == "closed"
    assert used_bytes(play) == 0
    late = play.open_stream("near", again(0))
    status = status_of(late)
    assert status.word == "too_late"
    assert "does not keep that stream" in status.detail


def test_the_last_bytes_of_what_ended_well_are_there_for_a_moment() -> None:
    play, far, server = carried()
    _ = far.end()
    _ = server.write(b"answer", is_end=True)
    assert far.closed == "ended"

    near = play.open_stream("near", again(2))

    assert near.read() == write_status(Status("", exit=SELF)) + b"swer"
    assert near.is_ended
    _ = play.advance(LINGER_S + 0.1)
    assert used_bytes(play) == 0


@pytest.mark.parametrize("reason", ["reset", "too_late", "stream_overrun"])
def test_what_the_host_gives_up_is_not_kept(reason: str) -> None:
    play, far, server = carried()

    _ = far.refuse(reason)

    assert server.closed == "closed"
    assert used_bytes(play) == 0


def test_a_server_that_breaks_ends_a_session_also_one_that_waits() -> None:
    play, far, server = carried()
    assert set(server.reset()) <= {CloseStream(far.stream), CloseStream(server.stream)}
    assert (far.closed, used_bytes(play)) == ("reset", 0)

    play, far, server = carried()
    _ = far.refuse("lost")
    _ = server.reset()
    assert used_bytes(play) == 0


def test_silence_ends_a_session() -> None:
    play, far, server = carried(idle_s=5.0)

    _ = play.advance(5.1)

    assert (far.closed, server.closed, used_bytes(play)) == ("deadline", "deadline", 0)


def test_so_many_of_one_peer_are_parked_and_no_more() -> None:
    play = Playbook("termination", peers=["far.2", "near"], config={"most_parked": 1})
    servers: list[FarEnd] = []
    counted: list[bool] = []
    for number, peer in enumerate(("far.2", "far.2", "near")):
        opening = write_opening(Opening(SERVER, session=bytes([number]) * 16))
        end = play.open_stream(peer, opening)
        servers.append(play.far_end(end.stream | 1))
        _ = servers[-1].accept()
        counted.append(Count("not_parked") in end.refuse("lost"))

    assert counted == [False, True, False]
    assert [server.closed for server in servers] == ["", "closed", ""]
    _ = play.open_stream("near", again(0, bytes(16)))
    another = play.open_stream("far.2", FIRST)
    server = play.far_end(another.stream | 1)
    _ = server.accept()
    _ = another.refuse("lost")
    assert server.closed == "", "there is room again"


def test_a_name_that_is_taken_begins_no_session() -> None:
    play, _, _ = carried()

    thief = play.open_stream("near", FIRST)
    _ = play.far_end(thief.stream | 1).accept()

    assert status_of(thief) == OPEN


def test_a_timer_of_a_session_that_is_carried_means_nothing() -> None:
    play, _, server = carried()

    assert play >> TimerFired(NAME)
    assert server.closed == ""


def test_nodes_before_the_exit_pass_on_whose_place_is_taken() -> None:
    play = Playbook("termination", peers=["alice", "far.2"])
    opening = Opening(SERVER, exit=FAR, session=NAME, has=7)

    alice = play.open_stream("alice", write_opening(opening))

    onward = play.far_end(alice.stream | 1).to
    assert isinstance(onward, AtNode)
    assert (onward.node, read_opening(onward.opening)) == (Address(FAR), opening)
