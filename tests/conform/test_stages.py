from pathlib import Path

import pytest
from tests.conform.examples import case_of
from tests.conform.planted import HONEST, PLANTED, Planted, only

from ei.conform.stages import check_stages

METERED = Planted(
    only(),
    """
stages = (Meter(b"all", 1_000, 5_000), Tally(b"t"))
yield InstallDecision(
    Decision(key_of(packet), Forward((Hop(packet.ingress),)), ttl_s=1.0, stages=stages)
)
yield SendPacket(packet, packet.ingress, stages)
""",
    manifest="max_objects = 8",
)


@pytest.mark.parametrize(("planted", "result"), [(METERED, "kept"), (HONEST, "none")])
def test_meters_and_tallies_are_held_against_their_models(
    planted: Planted, result: str, tmp_path: Path
) -> None:
    assert check_stages(case_of(tmp_path, planted)).result == result


def test_a_reference_that_does_something_else_is_named(tmp_path: Path) -> None:
    planted = PLANTED["brings a reference that does something else"]

    verdict = check_stages(case_of(tmp_path, planted))

    assert verdict.result == "broken"
    assert "by the reference" in verdict.said
