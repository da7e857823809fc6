"""`ei help`: explain a command, an error code or the reason of a drop."""

import argparse

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verbs, suggestion
from ei.cli.problems import KINDS


def add_parser(commands: Verbs) -> None:
    """Add `ei help`."""
    verb = commands.add(
        "help",
        summary="explain a command, an error code or the reason of a drop",
        execute=execute,
    )
    verb.takes("topic", nargs="*", metavar="TOPIC", help="such as: lab up, EI-1005, slow_path_busy")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Print what is known of a topic."""
    topic = " ".join(arguments.topic)
    text = _error(topic) or _drop(topic) or _command(arguments.topic)
    output.data(text)
    output.document("ei.help/1", {"topic": topic, "text": text})
    return Exit.OK


def _error(topic: str) -> str | None:
    for kind in KINDS:
        if kind.name == topic.upper():
            return f"{kind.name}  {kind.title}\n{kind.action}\nExit code {int(kind.exit)}."
    return None


def _drop(topic: str) -> str | None:
    from ei import _core

    for word, explanation in _core.reasons():
        if word == topic:
            return f"A packet dropped as {word}: {explanation.strip()}"
    return None


def _command(words: list[str]) -> str:
    from ei.cli.main import build_parser

    parser = build_parser()
    for word in words:
        if word not in parser.children:
            allowed = list(parser.children) or ["nothing below it"]
            message = f"there is no help on {word!r}{suggestion(word, allowed)}"
            raise UsageError(message, command="ei help")
        parser = parser.children[word]
    return parser.format_help().rstrip()
