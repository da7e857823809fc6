"""`--private`, `--exit` and `--near`: what `ei proxy` and `ei run` take of the private way."""

import argparse
from typing import TYPE_CHECKING

from ei.cli.parser import UsageError, Verb

if TYPE_CHECKING:
    from ei.ways.exits import ExitWish


def takes_private(verb: Verb) -> None:
    """Let a verb take the private way; see `wish_of`."""
    verb.takes(
        "--private",
        action="store_true",
        help="by two nodes of two operators: the first sees who asks, the exit where that goes; "
        "what cannot go so does not go at all",
    )
    verb.takes(
        "--exit",
        default="",
        metavar="NODE",
        help="with --private: the node that servers see (default: one of the nearest)",
    )
    verb.takes(
        "--near",
        default="",
        metavar="LAT,LON|NODE",
        help="with --private: an exit near there, such as 48,11 or 34S,58W (default: near the "
        "node in use)",
    )


def wish_of(arguments: argparse.Namespace, *, command: str) -> "ExitWish | None":
    """Return which exit is asked for; `None` when nobody asks for the private way.

    Raises:
        UsageError: an exit without --private, or two wishes at once.
    """
    from ei.ways.exits import ExitWish

    node, near = arguments.exit, arguments.near
    if node and near:
        raise UsageError("give --exit or --near, not both", command=command)
    if (node or near) and not arguments.private:
        raise UsageError("--exit and --near are for --private", command=command)
    return ExitWish(node, near) if arguments.private else None
