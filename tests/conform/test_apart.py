import os
from pathlib import Path

import pytest
from tests.conform.examples import case_of
from tests.conform.planted import HONEST, PLANTED, Planted, only

from ei.conform.apart import check_worker, rehearse_apart

pytestmark = pytest.mark.slow

SLOW = Planted(  # many times its limit, on any machine
    only(),
    "for _ in range(20):\n    sum(range(50_000))\nyield DropPacket('unwanted')",
    manifest="handler_ms = 1",
)
KEEPING = Planted(
    only(),
    """
ctx.stable.put(packet.source, packet.metadata, ttl_s=9.0)
ctx.ephemeral.put(packet.metadata or b"none", packet.source)
yield SetTimer(packet.source, 2.0)
yield HoldPacket(AttachmentOf(packet.source), timeout_s=0.5)
""",
    manifest="stable_bytes = 10_000\nephemeral_bytes = 10_000",
)


@pytest.mark.parametrize("planted", [HONEST, KEEPING])
def test_a_worker_answers_as_this_process_does(planted: Planted, tmp_path: Path) -> None:
    case = case_of(tmp_path, planted, events=96)

    verdict, jail = check_worker(case.loaded, case.story, case.reference, os.environ)

    assert verdict.result == "kept", verdict.said
    assert {"seccomp", "landlock"} <= {*jail.layers, *jail.missing}
    assert rehearse_apart(case.loaded, case.story, os.environ).state == case.reference.state


def test_what_goes_by_the_order_of_a_set_is_seen_to_differ(tmp_path: Path) -> None:
    case = case_of(tmp_path, PLANTED["goes by the order of a set"])

    verdict, _ = check_worker(case.loaded, case.story, case.reference, os.environ)

    assert verdict.result == "broken"
    assert "RevokeDecisions.tag is" in verdict.said


def test_which_events_a_worker_cuts_does_not_depend_on_the_machine(tmp_path: Path) -> None:
    case = case_of(tmp_path, SLOW, events=2)

    verdict, _ = check_worker(case.loaded, case.story, case.reference, os.environ)

    assert verdict.result == "kept", verdict.said


def test_a_worker_that_ends_is_said_with_its_event(tmp_path: Path) -> None:
    case = case_of(tmp_path, HONEST)
    _ = (case.loaded.folder / "service.py").write_text(
        (case.loaded.folder / "service.py").read_text().replace("yield Count", "raise SystemExit;")
    )

    verdict, _ = check_worker(case.loaded, case.story, case.reference, os.environ)

    assert verdict.result == "broken"
    assert "it ended" in verdict.said
