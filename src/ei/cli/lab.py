"""`ei lab`: a whole internet on this machine."""

from importlib import import_module

from ei.cli.parser import Verbs

VERBS = (
    "up",
    "down",
    "status",
    "log",
    "shell",
    "impair",
    "cut",
    "kill",
    "run",
    "replay",
    "examples",
)
"""Files `lab_<verb>.py` of this folder, in the order in which `ei lab --help` lists them."""

DETAILS = """\
A lab is made from one topology file: domains, nodes, hosts, and links with delay, loss and other
impairments. It runs as real processes over 127/8, without root; with each of them in a network
namespace, as root; or as a simulation in virtual time, repeated bit for bit from its seed."""


def add_parser(commands: Verbs) -> None:
    """Add `ei lab` and its verbs."""
    verbs = commands.add_noun("lab", summary="a whole internet on this machine", details=DETAILS)
    for name in VERBS:
        import_module(f"ei.cli.lab_{name}").add_parser(verbs)
