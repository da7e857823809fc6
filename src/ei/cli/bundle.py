"""`ei bundle`: chains of services under one name."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs

if TYPE_CHECKING:
    from ei.bundles import Chain, Checked

DETAILS = """\
Reads bundle.toml and the manifests of its services; nothing of them runs. A bundle is refused where
a service does not take what the one before it gives, at the first node or at a later one; where it
contains itself; where nobody sends; and where its own bounds of payload and latency do not hold.
Exit code 1 when it is refused."""
EXAMPLES = """\
examples:
  ei bundle check bundles/small                        of services of this program alone
  ei bundle check bundles/iot --services modules/      and of yours
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei bundle` and its verbs."""
    verbs = commands.add_noun("bundle", summary="chains of services under one name and number")
    check = verbs.add(
        "check",
        summary="check whether the services of a bundle fit, and what it costs",
        details=DETAILS,
        execute=execute,
    )
    check.takes("folder", type=Path, metavar="FOLDER", help="of the bundle, with its bundle.toml")
    check.takes(
        "--services",
        action="append",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="where services and bundles of yours are",
    )
    check.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Check it, and show its chain, its budget and its faults."""
    from ei.bundles import check_bundle, known_in

    folder: Path = arguments.folder
    known = known_in(arguments.services)
    checked = check_bundle(folder, known)
    if checked.chain is not None:
        _show(checked, checked.chain, output)
    for fault in checked.faults:
        place = f"{folder / 'bundle.toml'}:{fault.line}"
        output.fold(f"{output.mark('bad')} {place}: {fault.code}: {fault.said}")
        output.fold(f"  {fault.fix}", indent="  ")
    if not checked.faults:
        output.fold(f"{output.mark('ok')} {checked.bundle.title}, number {checked.bundle.id}, fits")
    output.document("ei.bundle-check/1", checked.content())
    return Exit.NEGATIVE if checked.faults else Exit.OK


def _show(checked: "Checked", chain: "Chain", output: Output) -> None:
    rows = [
        [
            str(number),
            " of ".join((f"{link.name}@{link.manifest.version}", *reversed(link.via[1:]))),
            _place(is_behind=link.is_behind, at=link.at),
            _kinds(link.port.takes if link.port else ()),
            (link.port.gives if link.port else None) or "the same",
            str(link.port.adds_bytes if link.port else 0),
            str(link.manifest.handler_ms),
            link.manifest.state,
        ]
        for number, link in enumerate(chain.links, 1)
    ]
    header = ("", "service", "runs", "takes", "gives", "adds", "ms", "state")
    output.table(header, rows)
    if (budget := checked.budget) is not None:
        output.fold(
            f"on a way of {budget.nodes} nodes: payloads of up to {budget.payload_bytes} B, which"
            f" grow by up to {budget.adds_bytes} B; up to {budget.first_ms} ms of CPU time for the"
            f" first packet of a flow; what a node loses is {budget.state}"
        )


def _place(*, is_behind: bool, at: str) -> str:
    if is_behind:
        return "to hosts" if at == "last" else "to nodes"
    return "first node" if at == "first" else "each node"


def _kinds(takes: tuple[str, ...]) -> str:
    from ei.sdk.composition import EVERY_KIND

    return "anything" if set(takes) == set(EVERY_KIND) else " ".join(takes)
