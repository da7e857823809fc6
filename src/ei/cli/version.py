"""`ei version`: what is installed, and what it speaks."""

import argparse

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs


def add_parser(commands: Verbs) -> None:
    """Add `ei version`."""
    _ = commands.add(
        "version", summary="show what is installed, and what it speaks", execute=execute
    )


def execute(_arguments: argparse.Namespace, output: Output) -> Exit:
    """Print the version of the package, the wire and the interpreter."""
    import platform
    from importlib import metadata

    from ei import _core

    content = {
        "version": metadata.version("extensible-internet"),
        "wire": _core.WIRE_VERSION,
        "keys": _core.KEYS,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    said = "ei {version}, wire version {wire}, keys by {keys}, Python {python}, {machine}"
    output.data(said.format_map(content))
    output.document("ei.version/1", content)
    return Exit.OK
