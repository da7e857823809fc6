import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_another_word_than_a_level_is_refused_with_those_there_are(ei: Run) -> None:
    said = ei("node", "log", "sn1", "--level", "loud")

    assert said.code == Exit.ERROR
    assert "debug, info, warn, error" in said.err


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [("node", "sn1.isp-a"), ("host", "alice.isp-a")])
def test_a_running_daemon_logs_what_it_is_told_to(lab: Run, kind: str, name: str) -> None:
    said = lab(kind, "log", name, "--level", "debug")

    assert said.code == Exit.OK, said.err
    assert said.out == f"{name} logs debug and above\n"
    assert lab(kind, "log", name, "--level", "info", "--json").document["level"] == "info"
