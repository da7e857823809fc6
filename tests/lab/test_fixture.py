"""What the pytest fixture promises to those who test their own programs."""

import time

import pytest

from ei.lab.fixture import LabRunner, lab, topology
from ei.lab.simulation import Simulation

__all__ = ["lab", "topology"]


def test_a_private_lab_answers_within_a_second(lab: LabRunner) -> None:
    async def script(lab: Simulation) -> float:
        await lab.sleep(1)
        return await lab.host("alice").ping("bob.isp-b")

    began_s = time.monotonic()
    round_trip_s = lab(script)

    assert round_trip_s < 0.1
    assert time.monotonic() - began_s < 1


def test_each_lab_is_a_new_one(lab: LabRunner) -> None:
    async def script(lab: Simulation) -> float:
        await lab.kill("sn1.campus")
        return lab.now_s()

    assert lab(script) == lab(script)


def test_what_a_script_raises_reaches_the_test(lab: LabRunner) -> None:
    async def script(_lab: Simulation) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lab(script)
