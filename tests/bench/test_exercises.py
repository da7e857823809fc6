"""Each service of this version has something to do, by packets, by streams or by both."""

from ei.bench.exercises import PACKETS, STREAMS
from ei.runtime.loader import find_services


def test_every_service_is_there() -> None:
    assert sorted({*PACKETS, *STREAMS}) == sorted(find_services())
