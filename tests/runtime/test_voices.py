import os
from collections.abc import Iterator

import pytest

from ei.runtime.jail import LAYERS, Jail
from ei.runtime.voices import (
    LINES_PER_S,
    MAX_LINE,
    MAX_WORDS_BYTES,
    Jailed,
    LastWords,
    Lines,
    harmless,
    hear,
    say,
)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe of packets, of which reading does not block."""
    reader, writer = os.pipe2(os.O_DIRECT)
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_what_was_said_is_heard_in_order(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    words = (Jailed(Jail(LAYERS[:2], {"seccomp": "no such call"})), LastWords("enough"))
    for each in words:
        say(writer, each)

    assert (hear(reader), hear(reader), hear(reader)) == (*words, None)


def test_long_last_words_are_cut_to_what_a_pipe_takes_at_once(pipe: tuple[int, int]) -> None:
    reader, writer = pipe

    say(writer, LastWords("ü" * 5_000))

    heard = hear(reader)
    assert isinstance(heard, LastWords)
    assert heard.cause == "ü" * (MAX_WORDS_BYTES // 2)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xc1nonsense",
        b"\x82\xa4type\xa4last\xa5cause\xa1\xff",  # no UTF-8
        b"\x91" * MAX_WORDS_BYTES,  # lists in lists
        b"\x83\xa4type\xa4last\xa5cause\xa1a\xa4more" + b"\x91" * 3_000,
        b"\x82\xa4type\xa5never\xa5cause\xa1a",
        b"",
    ],
)
def test_nonsense_is_not_heard(pipe: tuple[int, int], nonsense: bytes) -> None:
    reader, writer = pipe
    _ = os.write(writer, nonsense)

    assert hear(reader) is None


def test_c11_nothing_but_text_comes_out_of_a_text() -> None:
    assert harmless("a\x1b[2Jb\r\nc\u202e") == "a\\x1b[2Jb\\r\\nc\\u202e"


def test_lines_carry_the_name_of_who_said_them_once() -> None:
    lines = Lines("echo")

    assert lines.take(b"one\nworker echo: two\nthr", 5.0) == [
        "worker echo: one",
        "worker echo: two",
    ]
    assert lines.take(b"ee\x1b[0m\n", 5.0) == ["worker echo: three\\x1b[0m"]


def test_an_unfinished_line_is_one_at_the_end_and_when_it_grows_too_long() -> None:
    lines = Lines("echo")

    assert lines.take(b"x" * (MAX_LINE + 1), 5.0) == [f"worker echo: {'x' * MAX_LINE}"]
    assert lines.take(b"rest", 5.0) == []
    assert lines.take(b"", 5.0) == ["worker echo: rest"]


def test_c11_a_flood_of_lines_is_so_many_a_second_and_how_many_were_left_out() -> None:
    lines = Lines("echo")

    assert len(lines.take(b"x\n" * 1_000, 5.0)) == LINES_PER_S
    assert lines.take(b"y\n", 5.9) == []
    assert lines.take(b"z\n", 6.0) == [
        f"worker echo: {1_001 - LINES_PER_S} lines left out",
        "worker echo: z",
    ]
