import io
from pathlib import Path

import pytest

from ei.runtime.faults import MAX_FAULTS, Fault, FaultLog, FaultReporter
from ei.sdk import Started

HERE = Path(__file__).parent


def raised_here() -> ValueError:
    with pytest.raises(ValueError, match="no") as caught:
        raise ValueError("no\x1b[31m\nway")
    return caught.value


def test_a_fault_is_one_line_that_no_terminal_obeys() -> None:
    fault = FaultLog(HERE).add("service_error", Started(), raised_here())

    assert "\x1b" not in str(fault)
    assert str(fault).startswith(r"service_error: Started: ValueError: no\x1b[31m\nway at test_")


def test_a_fault_names_the_line_of_the_services_own_file() -> None:
    assert FaultLog(HERE).add("service_error", "x", raised_here()).place == "test_faults.py:14"
    assert FaultLog(Path("/nowhere")).add("service_error", "x", raised_here()).place == ""


def test_an_error_without_words_is_named() -> None:
    assert FaultLog(HERE).add("cpu_exceeded", "x", KeyError()).cause == "KeyError"


def test_all_are_counted_and_the_newest_kept() -> None:
    faults = FaultLog(HERE)
    for number in range(MAX_FAULTS + 4):
        _ = faults.add("service_error", "x", ValueError(str(number)))

    assert faults.counts == {"service_error": MAX_FAULTS + 4}
    assert faults.newest[0] == Fault("service_error", "x", "ValueError: 4")


def test_a_flood_of_faults_is_a_line_a_second() -> None:
    log, faults = io.StringIO(), FaultLog(HERE)
    reporter = FaultReporter("echo", log)
    reporter.report(faults, 100.0)
    for now_s in (100.0, 100.1, 100.2, 101.0, 101.5):
        _ = faults.add("service_error", "x", ValueError())
        reporter.report(faults, now_s)

    assert log.getvalue() == (
        "worker echo: service_error: x: ValueError\n"
        "worker echo: service_error: x: ValueError (and 2 more)\n"
    )
