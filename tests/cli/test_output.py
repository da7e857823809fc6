import io
import json

from ei.cli.output import Output, printable


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


def make(stream: type[io.StringIO], **flags: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    stdout, stderr = stream(), stream()
    return Output(stdout=stdout, stderr=stderr, environ={}, **flags), stdout, stderr


def test_data_and_talk_go_their_own_ways() -> None:
    output, stdout, stderr = make(io.StringIO)

    output.data("answer")
    output.next("ei status", "ei top")

    assert stdout.getvalue() == "answer\n"
    assert stderr.getvalue() == "next: ei status | ei top\n"


def test_json_prints_the_document_and_no_data() -> None:
    output, stdout, _ = make(io.StringIO, is_json=True)

    output.data("for people")
    output.document("ei.x/1", {"a": 1})

    assert json.loads(stdout.getvalue()) == {"schema": "ei.x/1", "a": 1}


def test_colour_is_for_terminals_and_can_be_refused() -> None:
    assert "\x1b" in make(Terminal)[0].mark("ok")
    assert "\x1b" not in make(io.StringIO)[0].mark("ok")
    assert make(Terminal, is_plain=True)[0].mark("ok") == "ok"
    refusing = Output(stdout=Terminal(), stderr=Terminal(), environ={"NO_COLOR": "1"})
    assert refusing.mark("ok") == "✓"


def test_progress_is_for_terminals_and_replaced_by_the_next_line() -> None:
    output, stdout, stderr = make(Terminal)
    piped, _, piped_stderr = make(io.StringIO)

    output.progress("1 of 2")
    output.data("done")
    piped.progress("1 of 2")

    assert stderr.getvalue() == "1 of 2\r\x1b[K"
    assert stdout.getvalue() == "done\n"
    assert piped_stderr.getvalue() == ""


def test_quiet_keeps_answers_and_errors_only() -> None:
    output, stdout, stderr = make(Terminal, is_quiet=True)

    output.talk("hint")
    output.progress("half")
    output.complain("error")
    output.data("answer")

    assert stderr.getvalue() == "error\n"
    assert stdout.getvalue() == "answer\n"


def test_a_table_aligns_words_left_and_numbers_right() -> None:
    output, stdout, _ = make(io.StringIO)

    output.table(["name", "packets"], [["sn1", "5"], ["sn2.isp-a", "12"]])

    assert stdout.getvalue().splitlines() == [
        "name       packets",
        "sn1              5",
        "sn2.isp-a       12",
    ]


def test_lines_are_as_wide_as_is_asked_for() -> None:
    long = "word " * 30

    def widest(**environ: str) -> int:
        stdout = io.StringIO()
        output = Output(stdout=stdout, stderr=io.StringIO(), environ=environ)
        output.table(["one", "other"], [[long, long]])
        output.fold(long)
        return max(map(len, stdout.getvalue().splitlines()))

    assert 70 <= widest() <= 80
    assert 110 <= widest(COLUMNS="120") <= 120
    assert widest(COLUMNS="1") <= 40
    assert widest(COLUMNS="0") <= 80
    assert widest(COLUMNS="wide") <= 80


def test_control_characters_are_shown_not_sent() -> None:
    assert printable("a\x1b]0;x\x07\n") == "a\\x1b]0;x\\x07\\n"
    assert printable("Zürich ✓") == "Zürich ✓"
