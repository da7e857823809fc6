from ei.scenarios.hostile.ground import CALM, HOSTILE, MANIFESTS
from ei.scenarios.hostile.neighbours import LOAD


def test_all_that_are_hostile_are_told_something_to_be_so() -> None:
    assert set(LOAD) == set(HOSTILE)
    assert all(way != CALM for way, _ in LOAD.values())


def test_each_module_has_a_number_of_its_own() -> None:
    assert len({manifest.id for manifest in MANIFESTS.values()}) == len(MANIFESTS)
