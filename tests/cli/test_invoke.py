"""`ei invoke` in any lab; with `ei dev` it is in `test_dev.py`."""

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.invoke import readable


def test_what_is_text_is_shown_as_text_and_cannot_act_on_a_terminal() -> None:
    assert readable(b"hello ping") == '"hello ping"'
    assert readable(b"\x1b[2J") == '"\\x1b[2J"'
    assert readable(b"\xff\x00") == "hex ff00"


@pytest.mark.slow
def test_the_answer_comes_with_its_receipt(lab: Run) -> None:
    said = lab("invoke", "echo", "ping")

    assert said.code == Exit.OK
    assert said.out.startswith('→ "ping"\nreceipt accepted, by sn1.isp-a   there and back ')


@pytest.mark.slow
def test_any_host_of_the_lab_may_send_it(lab: Run) -> None:
    document = lab("invoke", "echo", "ping", "--from", "bob", "--json").document

    assert document["schema"] == "ei.invoke/1"
    assert document["payload"] == b"ping".hex()
    assert document["handled"] is None
    receipt = document["receipt"]
    assert isinstance(receipt, dict)
    assert receipt["by"] == "sn1.isp-b"


@pytest.mark.slow
def test_a_service_that_no_node_runs_is_suggested(lab: Run) -> None:
    said = lab("invoke", "ehco", "ping")

    assert said.code == Exit.NEGATIVE
    assert "did you mean echo" in said.err
    assert "ei dev ehco" in said.err


def test_without_a_lab_it_says_how_to_start_one(ei: Run) -> None:
    said = ei("invoke", "hello", "ping")

    assert said.code == Exit.UNREACHABLE
    assert "No lab 'default' is running" in said.err
