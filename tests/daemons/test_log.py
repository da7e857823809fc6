"""The log speaks to people or programs, never floods, and shows no control character."""

import io
import json
import os
from pathlib import Path

import pytest

from ei.daemons.log import Level, Log, log_of
from ei.errors import ConfigError


class Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        return True


class Full(io.StringIO):
    """A full disk."""

    def write(self, _text: str, /) -> int:
        raise OSError(28, "No space left on device")


def test_programs_get_json_lines() -> None:
    stream = io.StringIO()

    Log(stream).warn("worker lost", service="echo")

    line = json.loads(stream.getvalue())
    assert (line["level"], line["event"], line["service"]) == ("warn", "worker lost", "echo")


def test_people_get_lines_without_control_characters() -> None:
    stream = Terminal()

    Log(stream).info("peer up", name="\x1b[31mred\nline")

    assert stream.getvalue().endswith("info  peer up  name=\\x1b[31mred\\nline\n")


def test_less_important_lines_are_left_out() -> None:
    stream = io.StringIO()
    log = Log(stream, level=Level.WARN)

    log.info("one")
    log.debug("two")
    log.error("three")

    assert len(stream.getvalue().splitlines()) == 1


def test_equal_lines_are_limited_and_others_are_not() -> None:
    stream = io.StringIO()
    log = Log(stream)

    for number in range(1_000):
        log.warn("flood", number=number)
    log.warn("other")

    lines = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert lines == ["flood"] * 10 + ["other"]


def test_the_environment_chooses_level_and_format() -> None:
    log = log_of({"EI_LOG": "warn", "EI_LOG_FORMAT": "text"})

    assert log.level is Level.WARN
    with pytest.raises(ConfigError, match="EI_LOG=loud: allowed are debug, info, warn, error"):
        _ = log_of({"EI_LOG": "loud"})
    with pytest.raises(ConfigError, match="EI_LOG_FORMAT=xml: allowed are json and text"):
        _ = log_of({"EI_LOG_FORMAT": "xml"})


def test_a_full_disk_does_not_end_a_daemon() -> None:
    log = Log(Full())

    log.error("something")

    assert log.is_broken


def test_the_journal_gets_priorities_and_no_time(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with path.open("w") as stream:
        found = os.fstat(stream.fileno())
        log = log_of({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}, stream)
        log.info("node runs", name="sn1.isp-a")
        log.error("worker not started", service="echo")

    assert path.read_text() == (
        "<6>node runs  name=sn1.isp-a\n<3>worker not started  service=echo\n"
    )


def test_json_for_the_journal_has_the_priority_before_it() -> None:
    stream = io.StringIO()

    Log(stream, is_json=True, is_journal=True).warn("worker slow", service="echo")

    assert stream.getvalue().startswith("<4>{")
    assert "time" not in json.loads(stream.getvalue()[3:])


def test_a_stream_that_is_not_the_journal_s_is_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as stream:
        log_of({"JOURNAL_STREAM": "8:12345"}, stream).info("node runs")

    assert json.loads(path.read_text())["event"] == "node runs"


def test_a_part_has_a_level_of_its_own_until_the_whole_gets_one() -> None:
    stream = io.StringIO()
    log = Log(stream)
    pipes, workers = log.part("pipes"), log.part("workers")

    pipes.level = Level.DEBUG
    for each in (pipes, workers, log):
        each.debug("seen")
    [line] = map(json.loads, stream.getvalue().splitlines())
    assert line["part"] == "pipes"
    log.level = Level.ERROR
    for each in (pipes, workers, log):
        each.warn("unseen")

    assert len(stream.getvalue().splitlines()) == 1
    assert log.parts == ("pipes", "workers")
    assert log.part("pipes") is pipes
