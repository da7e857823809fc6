from pathlib import Path

import pytest

from ei.cli.happenings import (
    KINDS,
    cost_of,
    death_problem,
    fault_problem,
    handler_place,
    kinds_of,
)
from ei.node.watching import Died, Limits
from ei.runtime.faults import Fault
from ei.runtime.watching import Handled

LIMITS = Limits(10, 250, 64, 64 * 1024 * 1024)
SERVICE = """
class Mine:
    def on_packet(self, event, ctx):
        pass

    def on_timer(self, event, ctx):
        pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _ = (tmp_path / "service.py").write_text(SERVICE)
    return tmp_path


def handled(*events: str) -> Handled:
    return Handled(
        events=events,
        connections=(),
        cpu_ns=80_000,
        effects=2,
        dropped=(),
        faults=(),
        memory_bytes=33 * 1024 * 1024,
    )


def test_costs_are_said_each_against_its_limit() -> None:
    assert cost_of(handled("PacketArrived"), LIMITS) == (
        "cpu 80 µs of 10 ms   effects 2 of 64   memory 33.0 of 64 MiB"
    )
    assert "cpu 40 µs of 10 ms " in cost_of(handled("PacketArrived", "Started"), LIMITS)
    assert cost_of(handled(), LIMITS)


def test_kinds_are_said_once_with_how_often() -> None:
    assert kinds_of(("Started", "PacketArrived", "PacketArrived")) == "Started, PacketArrived x2"


def test_a_fault_has_its_line_and_the_line_of_its_handler_where_there_is_none(
    folder: Path,
) -> None:
    found = fault_problem(
        Fault("service_error", "PacketArrived", "ValueError: no", "words.py:7"), LIMITS, folder
    )
    assert (found.kind.name, found.cause) == (
        "EI-2002",
        "words.py:7: PacketArrived: ValueError: no",
    )

    found = fault_problem(Fault("cpu_exceeded", "TimerFired", "CpuExceeded"), LIMITS, folder)
    assert found.kind.name == "EI-2003"
    assert found.cause == (
        "service.py:6: TimerFired: more than the 10 ms of CPU time that an event has"
    )


def test_every_word_of_a_fault_has_a_kind_and_none_says_nothing(folder: Path) -> None:
    for word in (*KINDS, "a_word_of_the_future"):
        found = fault_problem(Fault(word, "PacketArrived", ""), LIMITS, folder)
        assert found.cause.startswith("service.py:3: PacketArrived")
        assert found.action


@pytest.mark.parametrize(
    ("died", "has_started", "code", "said"),
    [
        (Died("{folder}/service.py:4: cannot be loaded: X", (), 0.05), False, "EI-2001",
         "service.py:4: cannot be loaded: X"),
        (Died("SIGXCPU: words", (), 0.05), False, "EI-2003",
         "service.py:1: loading: more than the 250 ms of CPU time that a start has"),
        (Died("SIGXCPU: x", ("Resolved",), 0.05), True, "EI-2003",
         "service.py:1: Resolved: one call took more than the 10 ms of CPU time that an event has"),
        (Died("SIGSEGV", (), 0.05), True, "EI-2004", "service.py:1: between events: SIGSEGV"),
        (Died("", ("TimerFired",), 0.05), True, "EI-2004",
         "service.py:6: TimerFired: its process ended without a word"),
    ],
)  # fmt: skip
def test_a_death_has_a_code_a_place_and_words(
    folder: Path, died: Died, has_started: object, code: str, said: str
) -> None:
    died = Died(died.cause.format(folder=folder), died.over, died.again_s)

    found = death_problem(died, LIMITS, folder, has_started=bool(has_started))

    assert (found.kind.name, found.cause) == (code, said)
    assert found.action


def test_a_handler_is_found_where_there_is_one(tmp_path: Path) -> None:
    assert handler_place(tmp_path, "PacketArrived") == "module.wasm"
    _ = (tmp_path / "service.py").write_text("def on_packet(:\n")
    assert handler_place(tmp_path, "PacketArrived") == "service.py:1"
    _ = (tmp_path / "service.py").write_text(SERVICE)
    assert handler_place(tmp_path, "PacketArrived") == "service.py:3"
    assert handler_place(tmp_path, "StreamData") == "service.py:1"
