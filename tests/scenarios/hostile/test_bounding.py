import os

from ei.scenarios.hostile.bounding import STORMS, memory_mib
from ei.scenarios.hostile.services.storming.service import WAYS


def test_every_storm_is_tried() -> None:
    assert set(STORMS) == set(WAYS)


def test_a_process_has_memory_until_it_is_gone() -> None:
    assert memory_mib(os.getpid()) > 1
    assert memory_mib(2**22 + 1) == 0
