"""`ei lab shell`: a shell, or one command, that speaks as a node or host of a lab."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.targets import takes_lab

if TYPE_CHECKING:
    from ei.lab.run_folder import LabFile

EXAMPLES = """\
examples:
  ei lab shell alice                     then: ei ping bob, ei status
  ei lab shell alice -- ei ping bob      one command
  ei lab shell alice -- ping bob.isp-b   any program, over the links of a netns lab
"""


def add_parser(verbs: Verbs) -> None:
    """Add `ei lab shell`."""
    verb = verbs.add(
        "shell",
        summary="open a shell, or run a command, that speaks as a node or host",
        details="In it EI_SOCKET names its admin socket, EI_CONFIG its configuration file, EI_LAB "
        "the lab. In a netns lab it is in the network namespace of the node or host, where full "
        "names lead to the addresses of all others, and ends with the lab.",
        execute=execute,
    )
    verb.takes("name", metavar="NAME", help="a node or host, such as alice")
    verb.takes("command", nargs="*", metavar="COMMAND", help="after --, in the place of a shell")
    takes_lab(verb)
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Become the shell or the command."""
    from ei.cli.targets import find_name, read_lab
    from ei.errors import NotFoundError

    lab = read_lab(arguments)
    daemon = lab.daemons[find_name(arguments.name, arguments)]
    environ = {
        **os.environ,
        "EI_LAB": lab.name,
        "EI_SOCKET": daemon.admin,
        "EI_CONFIG": f"{daemon.folder}/{daemon.kind}.toml",
        "PS1": f"{daemon.name}$ ",
        # So that its examples work where `ei` itself was called by its path.
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        ),
        **_settle(lab, daemon.name),
    }
    if not arguments.command:
        output.talk(f"a shell as {daemon.name}; leave it with exit")
    # -i without a start file, so that the prompt says who speaks.
    command = arguments.command or [os.environ.get("SHELL", "/bin/sh"), "-i"]
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 to become it is the point
    except FileNotFoundError as error:
        raise NotFoundError(
            f"there is no program {command[0]!r}", remedy="See: echo $PATH"
        ) from error


def _settle(lab: "LabFile", name: str) -> dict[str, str]:
    """Move to the network namespace of a node or host, if it has one; return what to inherit."""
    if lab.backend != "netns":
        return {}
    from ei.errors import DeniedError
    from ei.lab.census import MARK
    from ei.lab.namespaces import enter, know_names
    from ei.lab.processes import ask_lab
    from ei.lab.run_folder import run_folder

    paths = cast("dict[str, str]", ask_lab("status", name=lab.name)["namespaces"])
    try:
        enter(paths[name])
        know_names(run_folder(lab.name, os.environ).hosts)
    except OSError as error:
        raise DeniedError(
            f"the network namespace of {name}: {error.strerror}",
            remedy="Enter it as the user who started the lab: root.",
        ) from error
    return {MARK: lab.run_id}
