from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.parser import UsageError
from ei.cli.ping import parse_services, service_number, spread


def test_a_service_is_known_by_name_and_number() -> None:
    assert service_number("echo", []) == 17
    assert service_number("4000000000", []) == 4_000_000_000


def test_who_asks_for_a_service_of_his_own_is_told_how_it_is_found(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without --services FOLDER, no service is called 'mine'"):
        _ = service_number("mine", [])
    with pytest.raises(ArgumentTypeError, match="no folder of services"):
        _ = parse_services(str(tmp_path))


def test_the_spread_is_in_words() -> None:
    assert spread([0.003, 0.001, 0.002]) == "1 ms / 2 ms / 3 ms (min / median / max)"


@pytest.mark.slow
def test_a_host_answers_from_another_domain(lab: Run) -> None:
    document = lab("ping", "alice", "bob", "--count", "2", "--json").document

    assert document["schema"] == "ei.ping/1"
    assert document["from"] == "alice.isp-a"
    assert document["to"] == "bob.isp-b"
    rtts_s = document["rtts_s"]
    assert isinstance(rtts_s, list)
    assert len(rtts_s) == 2


@pytest.mark.slow
def test_a_service_answers(lab: Run) -> None:
    said = lab("ping", "alice", "--service", "echo")

    assert "alice.isp-a → service echo: 3 of 3 came back" in said.out


@pytest.mark.slow
def test_no_answer_is_a_negative_result_with_its_reason(lab: Run) -> None:
    said = lab("ping", "alice", "--service", "4000000000", "--count", "1", "--timeout", "0.2s")

    assert said.code == Exit.NEGATIVE
    assert "0 of 1 came back" in said.out


@pytest.mark.slow
def test_wrong_names_are_refused_before_anything_is_sent(lab: Run) -> None:
    assert "FROM and TO needed, 1 given" in lab("ping", "alice").err
    assert "did you mean echo" in lab("ping", "alice", "--service", "eco").err
    assert lab("ping", "alice", "sn1.isp-a").code == Exit.NEGATIVE
