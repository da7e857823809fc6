import pytest

from ei.errors import ServiceError
from ei.runtime.open_streams import OpenStreams
from ei.runtime.undo import UndoLog


def test_the_number_of_streams_is_bounded() -> None:
    streams = OpenStreams(UndoLog(), limit=2)
    streams.open(2)
    streams.open(1)
    streams.open(2)

    with pytest.raises(ServiceError, match="3 streams: at most 2 allowed"):
        streams.open(4)

    streams.close(1)
    streams.open(4)
    assert (len(streams), repr(streams)) == (2, "<OpenStreams 2 of 2>")


def test_one_that_an_event_opened_that_failed_does_not_count() -> None:
    undo = UndoLog()
    streams = OpenStreams(undo, limit=1)
    streams.open(1)

    undo.undo_to(0)

    streams.open(3)
    assert len(streams) == 1


def test_to_close_what_is_not_open_is_nothing() -> None:
    streams = OpenStreams(UndoLog())

    streams.close(2)

    assert len(streams) == 0
