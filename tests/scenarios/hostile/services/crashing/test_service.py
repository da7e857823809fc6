from pathlib import Path

import pytest

from ei.lab.catalogue import SCENARIOS
from ei.sdk import DropPacket, PassPacket
from ei.testing.playbook import Playbook

FOLDER: Path = SCENARIOS / "hostile" / "services" / "crashing"


def test_told_nothing_it_drops() -> None:
    assert Playbook(FOLDER, peers=["alice"]).packet("alice") == (DropPacket("calm"),)


def test_what_is_for_others_goes_on() -> None:
    play = Playbook(FOLDER, peers=["alice"])

    _, passed = play.packet("alice", service=17)

    assert isinstance(passed, PassPacket)


def test_told_to_it_ends_its_process() -> None:
    play = Playbook(FOLDER, peers=["alice"])

    with pytest.raises(SystemExit):
        _ = play.packet("alice", metadata=b"exit")
