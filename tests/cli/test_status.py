import socket
import threading
from pathlib import Path

import msgspec
import pytest
from tests.cli.conftest import Run
from tests.cli.test_polling import answer_once
from tests.cli.test_statuses import node

from ei.cli.exits import Exit

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("state", ["running", "waiting"])
def test_a_service_without_its_worker_is_a_negative_answer(
    ei: Run, tmp_path: Path, state: str
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        content = {"schema": "ei.node-status/1", **msgspec.to_builtins(node(state=state))}
        server = threading.Thread(target=answer_once, args=(listener, content))
        server.start()

        said = ei("status", "--socket", str(tmp_path / "s"))
        server.join()

    is_down = state != "running"
    assert said.code == (Exit.NEGATIVE if is_down else Exit.OK)
    assert ("its worker is waiting" in said.out) is is_down


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
