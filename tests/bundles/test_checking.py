"""What a bundle costs, what it demands, and who reads its metadata."""

import json
from pathlib import Path

import pytest
from tests.bundles.toys import DELIVERY, TOYS, check, fault, toy, write_bundle

from ei.bundles import Known, check_bundle, refuse_faults
from ei.bundles.checking import ROOM_BYTES
from ei.errors import ConfigError

IOT = ("query at first", "compress at first", "encrypt at first", "delivery")


def test_the_cost_is_that_of_all_nodes_on_the_way(tmp_path: Path) -> None:
    budget = check(tmp_path, *IOT, extra='gives = "sealed"\nnodes = 3').budget

    assert budget is not None
    assert (budget.adds_bytes, budget.payload_bytes) == (28, ROOM_BYTES - 28)
    assert budget.first_ms == 30 + 3 * DELIVERY.handler_ms
    assert budget.state == "recomputable"


def test_what_stands_before_pipes_to_nodes_costs_nothing_at_the_last(tmp_path: Path) -> None:
    budget = check(tmp_path, "squeeze", "delivery", "squeeze").budget

    assert budget is not None
    assert budget.first_ms == (10 + 10) * 2 + 10


def test_a_payload_that_has_to_fit_and_does_not_is_refused(tmp_path: Path) -> None:
    found = fault(tmp_path, *IOT, extra='gives = "sealed"\npayload_bytes = 1260')

    assert (found.code, found.line) == ("too_small", 6)
    assert found.said == (
        "1252 B of payload fit, 1260 B are to: its services add 28 B on a way of 2 nodes"
    )


def test_a_latency_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    found = fault(tmp_path, *IOT, extra='gives = "sealed"\nlatency_ms = 49')

    assert (found.code, found.line) == ("too_slow", 6)
    assert "may take 50 ms of CPU time on a way of 2 nodes, 49 ms allowed" in found.said


def test_two_operators_are_kept_apart_by_a_service_or_not_at_all(tmp_path: Path) -> None:
    wanted = 'constraints = ["different_operators"]\n'

    found = fault(tmp_path, "telemetry", "delivery", extra=wanted)
    kept = check(tmp_path, "hide at first", "delivery", extra=f'{wanted}gives = "private"')

    assert (found.code, found.line) == ("one_operator", 5)
    assert found.fix.endswith("such as relay.")
    assert kept.faults == ()


def test_a_packet_has_the_metadata_of_one_service(tmp_path: Path) -> None:
    known = Known(TOYS | {"curious": toy("curious", match_metadata=None)}, {})
    folder = write_bundle(tmp_path, "curious", "delivery")

    (found,) = check_bundle(folder, known).faults

    assert (found.code, found.line) == ("two_readers", 7)
    assert found.said == "curious and delivery read the metadata, which is of one service"


def test_what_was_found_is_json(tmp_path: Path) -> None:
    said = json.loads(json.dumps(check(tmp_path, "query", "encrypt", "delivery").content()))

    assert said["bundle"] == "mine@1.0.0"
    assert [each["service"] for each in said["chain"]] == ["query", "encrypt", "delivery"]
    assert said["faults"][0]["code"] == "wrong_kind"


def test_who_wants_to_run_a_bundle_with_a_fault_is_told_it(tmp_path: Path) -> None:
    checked = check(tmp_path, "telemetry")

    with pytest.raises(ConfigError, match=r"mine/bundle\.toml:6: no_sender: ") as caught:
        _ = refuse_faults(checked, tmp_path / "mine")

    assert caught.value.remedy == "End it with a service that sends, such as delivery."
