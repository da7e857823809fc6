"""`ei node upgrade` and `downgrade`: another version of a module, while the node runs."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verb, Verbs
from ei.cli.targets import find_target, takes_target

DEADLINE_S = 60.0
"""A module may take long to start, and is tried first."""


def add_parser(verbs: Verbs) -> None:
    """Add both verbs."""
    upgrade = verbs.add(
        "upgrade",
        summary="run another version of a module, without a restart",
        details=(
            "It is tried first, beside the version that runs, which stays when it does not start."
            " Then packets wait for a moment, and it goes on with the same state; what the version"
            " before holds for an answer of the directory is dropped (worker_lost), and its streams"
            " end. A version that dies within ten seconds gives way to the one before. The folder"
            " is copied: what runs is what it was now, also after a restart."
        ),
        execute=_upgrade,
    )
    _takes_service(upgrade)
    upgrade.takes("folder", type=Path, metavar="FOLDER", help="the folder of the module")
    takes_target(upgrade)
    downgrade = verbs.add(
        "downgrade",
        summary="run the version of a module again that ran before",
        execute=_downgrade,
    )
    _takes_service(downgrade)
    takes_target(downgrade)


def _takes_service(verb: Verb) -> None:
    verb.takes("name", nargs="?", metavar="NAME", help="a node of the lab")
    verb.takes("service", metavar="SERVICE", help="the name of a service that runs there")


def _upgrade(arguments: argparse.Namespace, output: Output) -> Exit:
    folder: Path = arguments.folder
    return _ask(arguments, "upgrade", {"folder": str(folder.resolve())}, output)


def _downgrade(arguments: argparse.Namespace, output: Output) -> Exit:
    return _ask(arguments, "downgrade", {}, output)


def _ask(
    arguments: argparse.Namespace, verb: str, wanted: Mapping[str, object], output: Output
) -> Exit:
    import msgspec

    from ei.node.upgrading import Upgraded

    target = find_target(arguments.name, arguments, kind="node")
    answer = target.ask(verb, {"service": arguments.service, **wanted}, deadline_s=DEADLINE_S)
    upgraded = msgspec.convert(answer, Upgraded)
    output.data(
        f"{target.name}: {upgraded.service} {upgraded.version} runs in the place of"
        f" {upgraded.before}  {upgraded.digest}"
    )
    output.document("ei.node-upgrade/1", {"name": target.name, **msgspec.to_builtins(upgraded)})
    return Exit.OK
