"""What a service may do with streams, and what follows."""

import pytest

from ei.sdk import (
    Address,
    AtNode,
    CloseStream,
    Effect,
    Legacy,
    Meter,
    OpenStream,
    ReadStream,
    SpliceStreams,
    StartTls,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    WriteStream,
)
from ei.testing.stream_model import StreamModel, StreamsModel

A = Address(b"a" * 16)


def told(model: StreamsModel) -> list[StreamEvent]:
    found: list[StreamEvent] = []
    while (event := model.next_event()) is not None:
        found.append(event)
    return found


def opened(*, window: int = 100) -> tuple[StreamsModel, StreamModel]:
    model = StreamsModel(0.0)
    stream = model.open(A, b"for", window=window)
    assert told(model) == [StreamOpened(2, A, b"for", window)]
    return model, stream


def spliced() -> tuple[StreamsModel, StreamModel, StreamModel]:
    model, first = opened()
    model.take((OpenStream(3, Legacy("h", 80)),))
    model.accept(model[3], A, window=50)
    model.take((SpliceStreams(2, 3, 10.0),))
    assert told(model) == [StreamOpened(3, A, b"", 50)]
    return model, first, model[3]


def test_bytes_are_told_when_they_are_asked_for_and_no_more_than_that() -> None:
    model, stream = opened()
    stream.inbound += b"hello"
    assert told(model) == []

    model.take((ReadStream(2, 3),))
    assert told(model) == [StreamData(2, b"hel", is_end=False)]
    assert told(model) == []


def test_an_end_is_told_with_the_last_bytes_or_alone() -> None:
    model, stream = opened()
    stream.inbound += b"hello"
    stream.is_far_ended = True
    model.take((ReadStream(2),))
    assert told(model) == [StreamData(2, b"hello", is_end=True)]

    model, stream = opened()
    stream.is_far_ended = True
    model.take((ReadStream(2),))
    assert told(model) == [StreamData(2, b"", is_end=True)]


def test_a_stream_has_ended_when_both_directions_have_and_all_was_read() -> None:
    model, stream = opened()
    stream.is_far_ended = True
    model.take((ReadStream(2), WriteStream(2, b"bye", is_end=True)))
    assert told(model) == [StreamData(2, b"", is_end=True)]

    stream.outbound.clear()

    assert told(model) == [StreamClosed(2, "ended", 0, 3)]


def test_a_window_that_was_used_by_more_than_half_opens_again_when_there_is_room() -> None:
    model, stream = opened(window=100)
    model.take((WriteStream(2, bytes(40)),))
    stream.outbound.clear()
    assert told(model) == []

    model.take((WriteStream(2, bytes(60)),))
    assert told(model) == []
    del stream.outbound[:30]

    assert told(model) == [StreamWritable(2, 70)]


def test_what_cannot_be_opened_is_closed_in_time() -> None:
    model = StreamsModel(5.0)
    model.take((OpenStream(3, AtNode(A), 2.0),))
    assert model.next_deadline_s() == 7.0

    model.now_s = 7.0
    model.expire()

    assert told(model) == [StreamClosed(3, "deadline", 0, 0)]
    assert model.next_deadline_s() is None


def test_a_read_that_stays_silent_closes_the_stream() -> None:
    model, _ = opened()
    model.take((ReadStream(2, 1, 2.0),))
    model.now_s = 2.0

    model.expire()

    assert told(model) == [StreamClosed(2, "deadline", 0, 0)]


def test_closing_gives_up_what_was_written_unless_its_end_was() -> None:
    model, stream = opened()
    model.take((WriteStream(2, b"half"), CloseStream(2)))
    assert told(model) == [StreamClosed(2, "closed", 0, 4)]
    assert not stream.outbound

    model, stream = opened()
    model.take((WriteStream(2, b"all", is_end=True), CloseStream(2), CloseStream(2)))
    assert told(model) == [StreamClosed(2, "closed", 0, 3)]
    assert stream.outbound == b"all"


def test_what_is_asked_of_a_closed_stream_comes_too_late() -> None:
    model, stream = opened()
    model.close(stream, "reset")

    model.take((ReadStream(2), WriteStream(2, b"late"), SpliceStreams(2, 2), CloseStream(2)))

    assert told(model) == [StreamClosed(2, "reset", 0, 0)]


def test_spliced_streams_pass_bytes_as_there_is_room_and_both_ends() -> None:
    model, first, second = spliced()
    first.inbound += bytes(80)
    first.is_far_ended = True

    assert told(model) == []
    assert (len(second.outbound), second.is_near_ended) == (50, False)
    second.outbound.clear()
    assert told(model) == []
    assert (len(second.outbound), second.is_near_ended) == (30, True)

    second.outbound.clear()
    second.is_far_ended = True
    assert told(model) == [StreamClosed(3, "ended", 0, 80), StreamClosed(2, "ended", 80, 0)]


def test_spliced_streams_break_together() -> None:
    model, first, _ = spliced()

    model.close(first, "reset")

    assert told(model) == [StreamClosed(2, "reset", 0, 0), StreamClosed(3, "reset", 0, 0)]


def test_spliced_streams_that_are_silent_are_closed() -> None:
    model, _, _ = spliced()
    assert model.next_deadline_s() == 10.0

    model.now_s = 10.0
    model.expire()

    assert {event.reason for event in told(model) if isinstance(event, StreamClosed)} == {
        "deadline"
    }


def test_a_worker_that_dies_leaves_no_stream() -> None:
    model, stream = opened()
    model.take((ReadStream(2),))
    stream.inbound += b"hello"

    model.forget()

    assert told(model) == []
    assert stream.closed == "lost"
    assert model.next_deadline_s() is None


@pytest.mark.parametrize(
    ("effects", "said"),
    [
        ((WriteStream(2, bytes(101)),), "stream 2: 101 B written, window 100 B"),
        ((WriteStream(2, bytes(60)), WriteStream(2, bytes(60))), "60 B written, window 40 B"),
        ((WriteStream(2, b"", is_end=True), WriteStream(2, b"x")), "1 B written after its end"),
        ((ReadStream(2), ReadStream(2)), "a read is unanswered"),
        ((ReadStream(2), SpliceStreams(2, 2)), "a read is unanswered"),
        ((StartTls(2, "a"), StartTls(2, "a")), "stream 2 has TLS"),
        ((WriteStream(2, b"", is_end=True), StartTls(2, "a")), "stream 2 has ended"),
        ((CloseStream(8),), "there is no stream 8"),
        ((OpenStream(3, AtNode(A)), OpenStream(3, AtNode(A))), "it is in use"),
        ((OpenStream(3, AtNode(A)), WriteStream(3, b"x")), "stream 3 is not open yet"),
    ],
)
def test_what_no_stream_can_do_fails_the_script(effects: tuple[Effect, ...], said: str) -> None:
    model, _ = opened(window=100)

    with pytest.raises(AssertionError, match=said):
        model.take(effects)


def test_what_is_spliced_is_not_read_any_more() -> None:
    model, _, _ = spliced()

    with pytest.raises(AssertionError, match="stream 2 is spliced"):
        model.take((ReadStream(2),))


def test_a_read_after_the_end_fails_the_script() -> None:
    model, stream = opened()
    stream.is_far_ended = True
    model.take((ReadStream(2),))
    _ = told(model)

    with pytest.raises(AssertionError, match="its end was read"):
        model.take((ReadStream(2),))


def test_events_that_a_script_makes_up_are_taken_note_of() -> None:
    model = StreamsModel(0.0)

    model.note(StreamOpened(4, A, b"", 10))
    model.take((WriteStream(4, bytes(10)), ReadStream(4)))
    model.note(StreamWritable(4, 10))
    model.take((WriteStream(4, bytes(10)),))
    model.note(StreamData(4, b"", is_end=True))
    model.note(StreamClosed(4, "reset", 0, 0))

    assert model[4].closed == "reset"
    with pytest.raises(AssertionError, match="no read was asked"):
        model.note(StreamData(4, b"", is_end=True))


def test_an_event_that_comes_to_nothing_costs_its_stream() -> None:
    model, _ = opened()

    model.fail(StreamWritable(2, 9))

    assert told(model) == [StreamClosed(2, "closed", 0, 0)]


def kept(*, keep_bytes: int = 6) -> tuple[StreamsModel, StreamModel, StreamModel]:
    model, first = opened()
    model.take((OpenStream(3, Legacy("h", 80)),))
    model.accept(model[3], A, window=50)
    model.take((SpliceStreams(2, 3, 10.0, keep_bytes=keep_bytes),))
    _ = told(model)
    return model, first, model[3]


def test_a_stream_that_takes_the_place_of_a_lost_one_begins_where_that_was_left() -> None:
    model, first, server = kept()
    server.inbound += b"0123456789"
    first.inbound += b"abc"
    _ = told(model)

    model.close(first, "lost")
    server.inbound += b"xyz"
    assert told(model) == [StreamClosed(2, "lost", 3, 10)]
    later = model.open(A, b"", window=100)
    model.take((SpliceStreams(4, 3, 10.0, from_byte=6),))
    _ = told(model)

    assert (bytes(later.outbound), bytes(server.outbound)) == (b"6789xyz", b"abc")


@pytest.mark.parametrize("byte", [3, 11])
def test_what_is_not_kept_closes_who_wants_it_alone(byte: int) -> None:
    model, first, server = kept()
    server.inbound += b"0123456789"
    _ = told(model)
    model.close(first, "lost")
    later = model.open(A, b"", window=100)

    model.take((SpliceStreams(4, 3, from_byte=byte),))

    _ = told(model)
    assert (later.closed, server.closed) == ("too_late", "")


def test_who_keeps_stays_after_both_ends_until_the_service_closes_it() -> None:
    model, first, server = kept()
    server.inbound += b"answer"
    first.is_far_ended = server.is_far_ended = True
    assert told(model) == [StreamClosed(2, "ended", 0, 6)]
    later = model.open(A, b"", window=100)
    model.take((SpliceStreams(4, 3, from_byte=2),))

    assert told(model)[-1] == StreamClosed(4, "ended", 0, 4)
    assert (bytes(later.outbound), server.closed) == (b"swer", "")
    model.take((CloseStream(3),))
    assert server.closed


def test_silence_ends_both_of_a_splice_that_keeps_and_one_that_waits_for_nobody() -> None:
    model, first, server = kept()
    model.now_s = 10.0
    model.expire()
    assert (first.closed, server.closed) == ("deadline", "deadline")

    model, first, server = kept()
    model.close(first, "lost")
    model.now_s = 10.0
    model.expire()
    assert server.closed == "deadline"


def test_what_the_service_reads_itself_is_not_kept() -> None:
    model, first, server = kept()
    server.inbound += b"abc"
    _ = told(model)
    model.close(first, "lost")
    server.inbound += b"de"
    model.take((ReadStream(3),))
    _ = told(model)
    later = model.open(A, b"", window=100)

    model.take((SpliceStreams(4, 3, from_byte=3),))

    _ = told(model)
    assert later.closed == "too_late"


def test_splices_with_a_meter_share_its_tokens_and_lose_nothing() -> None:
    model = StreamsModel(0.0)
    meter = Meter(b"token", 10, 25)
    for stream in (2, 4):
        _ = model.open(A, b"", window=100)
        model.take((OpenStream(stream + 1, Legacy("h", 80)),))
        model.accept(model[stream + 1], A, window=100)
        model.take((SpliceStreams(stream, stream + 1, meter=meter),))
    for stream in (2, 5):
        model[stream].inbound += bytes(20)

    _ = told(model)
    assert (len(model[3].outbound), len(model[4].outbound)) == (20, 5)

    model.now_s = 1.0
    _ = told(model)
    assert (len(model[3].outbound), len(model[4].outbound)) == (20, 15)
