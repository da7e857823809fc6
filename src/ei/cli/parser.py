"""Argument parsing that suggests, never guesses, and speaks like every other error."""

import argparse
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import NoReturn, TypedDict, Unpack

from ei.cli.output import Output
from ei.errors import LocalError

Execute = Callable[[argparse.Namespace, Output], int]
"""Runs a command and returns its exit code: one of `Exit`, or that of a program that it ran."""


class UsageError(LocalError):
    """The arguments do not make a command.

    Attributes:
        command: The command as far as it was understood, such as `ei lab up`.
    """

    def __init__(self, message: str, *, command: str) -> None:
        super().__init__(message)
        self.command = command


class Settings(TypedDict, total=False):
    """What `Verb.takes` can say of an argument; the names are those of argparse."""

    help: str
    action: str
    type: Callable[[str], object]
    default: object
    choices: Sequence[str]
    nargs: str | int
    metavar: str
    dest: str
    required: bool


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Lists commands under the title of their group alone, aligned with the flags."""

    def _format_action(self, action: argparse.Action) -> str:
        if action.nargs != argparse.PARSER or action.choices is None:
            return super()._format_action(action)
        self._dedent()
        commands = "".join(map(self._format_action, self._iter_indented_subactions(action)))
        self._indent()
        return commands


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that raises instead of exiting, and takes no abbreviated flags.

    Attributes:
        children: Parsers of the commands below this one, by name.
    """

    def __init__(self, *, prog: str, description: str = "", epilog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=Formatter,
        )
        self.children: dict[str, Parser] = {}

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments.

        Raises:
            UsageError: always.
        """
        raise UsageError(message, command=self.prog)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is None or value in action.choices:
            return
        allowed = [str(choice) for choice in action.choices]
        name = action.metavar or action.dest
        message = f"{name} {value!r} does not exist{suggestion(str(value), allowed)}"
        raise argparse.ArgumentError(None, message)


class Verb:
    """A command that does something, and the arguments it takes."""

    def __init__(self, parser: Parser, execute: Execute) -> None:
        self._parser = parser
        self._output = parser.add_argument_group("output")
        self._flag("--json", "print one JSON object on stdout")
        self._flag("--plain", "no colours, symbols or redrawing")
        self._flag("-q", "--quiet", "no progress, no hints")
        parser.set_defaults(execute=execute, parser=parser)

    def takes(self, *names: str, **settings: Unpack[Settings]) -> None:
        """Add an argument, as `ArgumentParser.add_argument` does."""
        _ = self._parser.add_argument(*names, **settings)  # pyright: ignore[reportArgumentType]

    def ends(self, text: str) -> None:
        """Show `text`, such as examples, at the end of the help."""
        self._parser.epilog = text

    def _flag(self, *names_and_help: str) -> None:
        *names, text = names_and_help
        _ = self._output.add_argument(*names, action="store_true", help=text)


class Verbs:
    """The place where commands are added: `ei` itself, or a noun such as `ei lab`."""

    def __init__(self, parser: Parser, *, title: str) -> None:
        self._parser = parser
        self._places = parser.add_subparsers(title=title, metavar=title[:-1], parser_class=Parser)
        parser.set_defaults(execute=None, parser=parser)

    def add(self, name: str, *, summary: str, details: str = "", execute: Execute) -> Verb:
        """Add the verb `name`, run by `execute`; return it for its arguments."""
        return Verb(self._child(name, summary, details), execute)

    def add_noun(self, name: str, *, summary: str, details: str = "") -> "Verbs":
        """Add the noun `name`; return the place for its verbs."""
        return Verbs(self._child(name, summary, details), title="verbs")

    def _child(self, name: str, summary: str, details: str) -> Parser:
        text = summary[:1].upper() + summary[1:] + "."
        if details:
            text = f"{text}\n\n{details}"
        child = self._places.add_parser(name, help=summary, description=text)
        self._parser.children[name] = child
        return child


def suggestion(word: str, allowed: Sequence[str]) -> str:
    """Return how a sentence about a wrong `word` ends: the near miss, or all that is allowed."""
    near = get_close_matches(word, allowed, n=2, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; allowed: {', '.join(allowed)}"
