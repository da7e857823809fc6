import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

pytestmark = pytest.mark.slow


def test_every_node_and_host_of_the_lab_is_shown(lab: Run) -> None:
    said = lab("status")

    assert said.code == Exit.OK, said.err
    for name in ("sn1.isp-a", "sn1.isp-b", "alice.isp-a", "bob.isp-b"):
        assert name in said.out


def test_as_json_it_has_the_answer_of_every_daemon(lab: Run) -> None:
    document = lab("status", "--json").document

    assert document["schema"] == "ei.status/1"
    assert document["silent"] == {}
    answers = document["answers"]
    assert isinstance(answers, list)
    assert len(answers) == 5


def test_one_is_shown_in_full_by_its_short_name(lab: Run) -> None:
    said = lab("status", "alice")

    assert said.code == Exit.OK
    assert "1 of 1 nodes up, using sn1.isp-a" in said.out


def test_without_a_lab_it_is_said_how_to_start_one(ei: Run) -> None:
    said = ei("status")

    assert said.code == Exit.UNREACHABLE
    assert "ei lab up" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", "alice"),
        ("status", "sn1.isp-a"),
        ("lab", "status"),
        ("ping", "alice", "bob"),
        ("trace", "alice", "bob", "--explain"),
        ("top", "--interval", "1ms"),
    ],
)
def test_what_is_shown_fits_a_terminal_of_80_columns(lab: Run, words: tuple[str, ...]) -> None:
    said = lab(*words)

    assert said.code == Exit.OK, said.err
    assert said.widest <= 80
