import base64
from random import Random

import pytest

from ei.daemons.messages import Answer, Request
from ei.errors import LocalError
from ei.lab.fixture import run_simulated
from ei.lab.scenario import load_scenario
from ei.lab.simulation import Simulation
from ei.services.compression.messages import NUMBERS
from ei.services.compression.stages import train
from ei.ways.dictionaries import dictionary_verbs, version_of


def trained(version: int) -> bytes:
    random = Random(version)
    samples = [b'{"meter":%d,"celsius":%d}' % (random.random() * 1e6, n) for n in range(1_000)]
    return train(samples, number=NUMBERS + version, size_bytes=1_024)


def test_a_host_signs_a_dictionary_and_its_node_has_it() -> None:
    async def script(lab: Simulation) -> list[Answer]:
        verbs = dictionary_verbs(lab.host("alice"))
        wanted = {"service": 16, "trained": base64.b64encode(trained(3)).decode()}
        request = Request("offer_dictionary", wanted)
        return [answer async for answer in verbs["offer_dictionary"](request)]

    (answer,) = run_simulated(load_scenario("compression").topology, script)

    assert (answer["schema"], answer["service"], answer["version"]) == ("ei.dictionary/1", 16, 3)


@pytest.mark.parametrize("content", [b"", b"words of somebody", trained(1)[:4] + bytes(2_000)])
def test_what_is_no_dictionary_of_ours_is_refused(content: bytes) -> None:
    with pytest.raises(LocalError, match="no dictionary with a number above 0x8000"):
        _ = version_of(content)
