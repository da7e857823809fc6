"""`ei registry`: which modules nodes may run: approved, signed, and seen by witnesses."""

import argparse
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verb, Verbs

if TYPE_CHECKING:
    from ei.registry.drafts import Draft
    from ei.registry.repository import Registry

VERBS = ("init", "approve", "revoke", "rotate", "rollout", "log", "witness", "serve", "verify")
"""In the order in which they are needed; in files `registry_VERB.py` of this folder."""

DEFAULT = "registry"
DIGITS = 23
"""Characters of a digest that people compare; all are in the JSON."""


def add_parser(commands: Verbs) -> None:
    """Add `ei registry` and its verbs."""
    verbs = commands.add_noun(
        "registry",
        summary="which modules nodes may run: governors approve, authors sign, witnesses see",
        details="A registry is a folder; its part public is what others see, by HTTP or as files.",
    )
    for verb in VERBS:
        import_module(f"ei.cli.registry_{verb}").add_parser(verbs)


def takes_registry(verb: Verb, *, is_place: bool = False) -> None:
    """Let a verb take a registry.

    Args:
        is_place: Whether its address will do.
    """
    verb.takes(
        "--registry",
        default=DEFAULT,
        metavar="PLACE" if is_place else "FOLDER",
        help=f"its folder{' or address' if is_place else ''} (default: {DEFAULT})",
    )


def takes_keys(verb: Verb) -> None:
    """Let a verb take the keys of governors."""
    verb.takes(
        "--key",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="key file of a governor, to sign at once; once for each",
    )


def opened(arguments: argparse.Namespace) -> "Registry":
    """Return the registry that is meant.

    Raises:
        NotFoundError: there is none.
    """
    from ei.registry.repository import Registry

    return Registry(Path(arguments.registry))


def sign_draft(
    registry: "Registry", keys: Sequence[Path], output: Output, *, share: float = 0.0
) -> Exit:
    """Sign the draft, publish it if that was enough, and say what it is.

    Args:
        share: Of the nodes that should run what it approves.
    """
    from ei.records.key_files import read_keys

    lines = shown_changes(registry)
    draft = registry.sign([read_keys(path) for path in keys])
    for line in lines:
        output.data(line)
    missing = draft.missing()
    if not missing:
        registry.publish(share=share, unix_s=time.time())
    _say(draft, lines, output, missing)
    return Exit.OK


def shown_changes(registry: "Registry") -> list[str]:
    """Return in words what the draft changes."""
    from ei.registry.drafts import changes

    draft = registry.draft()
    targets = None if registry.root() is None else registry.targets()
    return [] if draft is None else list(changes(targets, draft))


def _say(draft: "Draft", lines: list[str], output: Output, missing: int) -> None:
    who = draft.after.governance
    signers = sorted(key.hex() for key in draft.signers())
    said = f"signed by {len(signers)} of {len(who.keys)} keys, needed are {who.threshold}"
    output.data(f"{said}: {'published' if not missing else f'{missing} more must sign'}")
    output.document(
        "ei.registry-draft/1",
        {
            "changes": lines,
            "signers": signers,
            "threshold": who.threshold,
            "missing": missing,
            "is_published": not missing,
        },
    )
    if missing:
        output.next("ei registry approve --key FILE, by the others")
