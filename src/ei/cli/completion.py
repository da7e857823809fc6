"""`ei completion`: make the shell complete commands, flags and files."""

import argparse
import sys

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs

SHELLS = ("bash", "zsh", "fish")
EXAMPLES = """\
to have it in every new shell:
  bash   echo 'eval "$(ei completion bash)"' >> ~/.bashrc
  zsh    echo 'eval "$(ei completion zsh)"' >> ~/.zshrc
  fish   ei completion fish > ~/.config/fish/completions/ei.fish
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei completion`."""
    verb = commands.add("completion", summary="print completions for a shell", execute=execute)
    verb.takes("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Print the completion script for a shell."""
    import shtab

    from ei.cli.main import build_parser

    script = shtab.complete(build_parser(), shell=arguments.shell)
    output.data(script)
    output.document("ei.completion/1", {"shell": arguments.shell, "script": script})
    if sys.stdout.isatty():
        output.next(f'eval "$(ei completion {arguments.shell})"')
    return Exit.OK
