"""Each service of this version has something to do, once."""

from ei.bench.exercises import PACKETS, STREAMS
from ei.runtime.loader import find_services


def test_every_service_is_there_once() -> None:
    assert sorted([*PACKETS, *STREAMS]) == sorted(find_services())
