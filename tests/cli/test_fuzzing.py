"""Whatever is typed, the answer is one of ours: a code, a cause and what to do; no traceback."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.main import build_parser
from ei.cli.parser import Parser
from ei.cli.problems import INTERNAL, problem_of
from ei.errors import EiError

WORDS = (
    "", "-", "--", "-h", "-q", "--json", "--plain", "--help", "--no-such-flag", "--=", "-\u00e4",
    "0", "-1", "1", "65536", "1e9", "9" * 40, "0x10", "nan", "inf", "5s", "200ms", "2%", "10mbps",
    "alice", "bob.isp-b", "sn1.isp-a", "..", "/", "/dev/null", "nowhere/file.toml", "a b", "\n",
    "\x1b[31m", "\u2603", "\ud7ff", "a" * 5_000, "node.toml", "junk.bin", "empty",
    "here", "127.0.0.1:1", "[::]:0", ":", "isp-a", "domain.key", "records.eir", "{}", "[trust]",
)  # fmt: skip
HARMLESS = (
    ("config", "check"), ("config", "show"), ("node", "check"), ("host", "check"), ("decode",),
    ("domain", "list"), ("domain", "enrol"), ("domain", "revoke"), ("domain", "renew"),
    ("domain", "refresh"), ("domain", "dns"), ("key", "show"), ("peer", "add"), ("peer", "list"),
    ("peer", "remove"), ("governance", "list"), ("governance", "sign"), ("status",), ("ping",),
    ("trace",), ("node", "status"), ("node", "drain"), ("node", "reload"), ("node", "log"),
    ("host", "status"), ("host", "attach"), ("lab", "status"), ("lab", "log"), ("lab", "kill"),
    ("lab", "cut"), ("lab", "impair"), ("lab", "examples"), ("route", "show"), ("route", "why"),
    ("directory", "find"), ("help",), ("version",), ("completion",), ("bugreport",), ("host",),
)  # fmt: skip
"""Commands that start nothing that lasts; where one has no such verb, that is refused as well."""


def verbs_of(parser: Parser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in parser.children.items():
        yield from verbs_of(child, (*path, name))


def flags_of(parser: Parser, path: tuple[str, ...]) -> list[str]:
    for name in path:
        parser = parser.children.get(name, parser)
    return [flag for action in parser._actions for flag in action.option_strings]  # noqa: SLF001


def typed(draw: random.Random, parser: Parser, path: tuple[str, ...]) -> list[str]:
    """Return a command that somebody may have typed: some flags of its own, and anything."""
    choices = (*WORDS, *2 * flags_of(parser, path))
    words = [*path, *draw.choices(choices, k=draw.randrange(6))]
    if draw.random() < 0.1:
        draw.shuffle(words)
    return words


def test_f5_ten_thousand_commands_parse_or_are_refused_in_our_words() -> None:
    draw = random.Random(5)
    parser = build_parser()
    paths = list(verbs_of(parser))
    refused = 0

    for _ in range(10_000):
        words = typed(draw, parser, draw.choice(paths))
        try:
            _ = parser.parse_args(words)
        except SystemExit:  # --help
            continue
        except EiError as error:
            problem = problem_of(error)
            assert problem.kind is not INTERNAL, words
            assert problem.cause.strip(), words
            assert problem.action.strip(), words
            refused += 1

    assert refused > 5_000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_f5_commands_that_run_end_with_a_code_of_ours(ei: Run, tmp_path: Path) -> None:
    draw = random.Random(55)
    parser = build_parser()
    _ = (tmp_path / "node.toml").write_text('version = 1\nname = "x"\n[trust]\n')
    _ = (tmp_path / "junk.bin").write_bytes(draw.randbytes(999))
    _ = (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "here").mkdir()

    for _ in range(500):
        words = typed(draw, parser, draw.choice(HARMLESS))

        said = ei(*words)

        assert "Traceback" not in said.out + said.err, words
        assert "EI-9000" not in said.err, (words, said.err)
        if said.code and not said.out.strip():
            assert re.search(r"EI-\d{4}|usage|commands|verbs", said.err), (words, said.err)
