"""What gauge promises, as scripts of events."""

from pathlib import Path

from ei.lab.catalogue import SCENARIOS
from ei.sdk import InstallDecision, Pass, PassPacket, Tally
from ei.testing.playbook import Playbook, address

FOLDER: Path = SCENARIOS / "core" / "services" / "gauge"


def test_a_packet_is_counted_by_its_source_and_handed_on() -> None:
    play = Playbook(FOLDER, peers=["alice"])

    install, passed = play.packet("alice")

    assert isinstance(install, InstallDecision)
    assert install.decision.action == Pass()
    assert install.decision.stages == (Tally(object=address("alice")),)
    assert isinstance(passed, PassPacket)
    assert passed.stages == install.decision.stages
