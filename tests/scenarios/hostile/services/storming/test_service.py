from pathlib import Path

import pytest

from ei.errors import ServiceError
from ei.lab.catalogue import SCENARIOS
from ei.sdk import DropPacket
from ei.testing.playbook import Playbook

FOLDER: Path = SCENARIOS / "hostile" / "services" / "storming"


def test_told_nothing_it_drops() -> None:
    assert Playbook(FOLDER, peers=["alice"]).packet("alice") == (DropPacket("calm"),)


@pytest.mark.parametrize("way", [b"endless", b"million", b"timers", b"randomness"])
def test_c10_what_it_asks_too_much_of_is_refused(way: bytes) -> None:
    play = Playbook(FOLDER, peers=["alice"])

    with pytest.raises(ServiceError, match=r"more than 2048 effects|of randomness at once"):
        _ = play.packet("alice", metadata=way)
