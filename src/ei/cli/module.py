"""`ei module`: a service module of yours, from a new folder to one that nodes run."""

import argparse
from importlib import import_module
from pathlib import Path

from ei.cli.parser import Verb, Verbs
from ei.errors import NotFoundError

VERBS = ("new", "test", "dev", "invoke", "conform", "bench", "sign", "publish")
"""In the order in which an author needs them; in files `module_VERB.py` of this folder."""

DAILY = ("dev", "invoke")
"""Those that are commands by themselves too: `ei dev` is `ei module dev`, in `dev.py`."""


def add_parser(commands: Verbs) -> None:
    """Add `ei module` and its verbs."""
    verbs = commands.add_noun(
        "module", summary="a service module of yours, from a new folder to one that nodes run"
    )
    for verb in VERBS:
        file = verb if verb in DAILY else f"module_{verb}"
        import_module(f"ei.cli.{file}").add_parser(verbs)


def takes_folder(verb: Verb) -> None:
    """Let a verb take the folder of a module."""
    verb.takes(
        "folder",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="of the module (default: this one)",
    )


def folder_of(arguments: argparse.Namespace) -> Path:
    """Return the folder of the module that is meant, absolute.

    Raises:
        NotFoundError: no module is there.
    """
    folder: Path = arguments.folder.resolve()
    if not (folder / "manifest.toml").is_file():
        raise NotFoundError(
            f"{folder} is no module: there is no manifest.toml",
            remedy="Name the folder of one, or make one: ei module new NAME",
        )
    return folder
