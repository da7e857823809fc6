from pathlib import Path

from ei.lab.catalogue import SCENARIOS
from ei.scenarios.hostile.services.snooping.service import attempt, files
from ei.sdk import DropPacket
from ei.testing.playbook import Playbook

FOLDER: Path = SCENARIOS / "hostile" / "services" / "snooping"


def test_told_nothing_it_drops() -> None:
    assert Playbook(FOLDER, peers=["alice"]).packet("alice") == (DropPacket("calm"),)


def test_outside_of_a_jail_it_reads_what_it_is_told_of(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    _ = secret.write_text("tulip-4c7ae2b9d1")

    (found,) = files([str(secret)])

    assert found == b"b'tulip-4c7ae2b9d1'"


def test_what_is_denied_is_said() -> None:
    assert attempt(lambda: 1 / 0) == b"ZeroDivisionError('division by zero')"
