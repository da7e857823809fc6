"""What the verbs of `ei cast` refuse; that they work is said by `tests/cli/test_cast.py`."""

import io
from pathlib import Path

import pytest

from ei.daemons.log import Log
from ei.daemons.messages import Request
from ei.errors import EiError
from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.ways.cast_verbs import verbs_beside

SEND = {"group": "news.isp-a", "path": "/nowhere/film", "rate_bytes_per_s": 1e6, "linger_s": 1.0}
RECEIVE = {"group": "news.isp-a", "folder": "/nowhere", "deadline_s": 1.0}


@pytest.mark.parametrize(
    ("verb", "wanted", "said"),
    [
        ("cast_send", SEND | {"path": "film"}, "is not absolute"),
        ("cast_send", SEND | {"rate_bytes_per_s": 0.0}, "must be above 0"),
        ("cast_receive", RECEIVE | {"folder": "films"}, "is not absolute"),
        ("cast_receive", RECEIVE, "/nowhere is no folder"),
    ],
)
def test_what_cannot_be_done_is_refused(verb: str, wanted: dict[str, object], said: str) -> None:
    async def script(lab: Simulation) -> set[str]:
        async with verbs_beside(lab.host("alice"), Log(io.StringIO())) as verbs:
            with pytest.raises(EiError, match=said):
                _ = [answer async for answer in verbs[verb](Request(verb, wanted))]
            return set(verbs)

    verbs = run_simulated(find_topology("threedomains"), script)

    assert verbs == {"publish", "subscribe", "cast_send", "cast_receive", "offer_dictionary"}


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    async def script(lab: Simulation) -> None:
        async with verbs_beside(lab.host("alice"), Log(io.StringIO())) as verbs:
            wanted = SEND | {"path": str(tmp_path / "film")}
            with pytest.raises(EiError, match="film"):
                _ = [answer async for answer in verbs["cast_send"](Request("cast_send", wanted))]

    run_simulated(find_topology("threedomains"), script)
