"""`ei invoke`: one packet to a service, its answer, and what it cost."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.happenings import cost_of, death_problem, fault_problem
from ei.cli.output import Output, printable
from ei.cli.parser import Verbs, suggestion
from ei.cli.problems import say_problem
from ei.cli.quantities import duration, parse_seconds
from ei.cli.targets import Target, find_target, lab_targets, takes_lab
from ei.errors import EiError, NotFoundError

if TYPE_CHECKING:
    from ei.host.verbs_invoke import Invoked
    from ei.node.admin import EventsAnswer
    from ei.runtime.watching import Handled

EXAMPLES = """\
examples:
  ei invoke hello ping                 in the lab of ei dev
  ei invoke echo ping --lab default --from bob
"""


def add_parser(verbs: Verbs) -> None:
    """Add `ei invoke`, which is `ei module invoke` too."""
    verb = verbs.add(
        "invoke",
        summary="send one packet to a service, and show the answer and what it cost",
        details="In the lab of ei dev, or another. Exit code 1 when nothing came back.",
        execute=execute,
    )
    verb.takes("service", metavar="NAME", help="of the service")
    verb.takes("text", nargs="?", default="", metavar="TEXT", help="what the packet carries")
    verb.takes(
        "--metadata",
        default="",
        metavar="HEX",
        help="the service's own header, as digits or the name of a host or group",
    )
    verb.takes("--from", dest="host", metavar="HOST", help="of the lab (default: its first)")
    verb.takes("--timeout", type=parse_seconds, metavar="2s", default=2.0, help="for the answer")
    takes_lab(verb)
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Send it from a host of the lab, and ask the node what it cost."""
    import msgspec

    from ei.host.verbs_invoke import Invoked

    arguments.lab = arguments.lab or _lab_of(arguments.service)
    arguments.socket = None
    node, number = _find_service(arguments)
    host = _find_host(arguments)
    before = _events(node, arguments.service, 0)
    invoked = msgspec.convert(
        host.ask(
            "invoke",
            {
                "service": number,
                "payload": arguments.text.encode(errors="surrogateescape").hex(),
                "metadata": arguments.metadata,
                "deadline_s": arguments.timeout,
            },
            deadline_s=arguments.timeout + 5.0,
        ),
        Invoked,
    )
    since = before.events[-1].number if before is not None and before.events else 0
    events = _events(node, arguments.service, since)
    handled = None if events is None else _handled(events, invoked.connection)
    _show_answer(invoked, output)
    if handled is not None and events is not None:
        output.fold(cost_of(handled, events.limits), indent="    ")
    _document(invoked, handled, output)
    if invoked.payload is not None:
        return Exit.OK
    if events is not None:
        _show_why(events, handled, output)
    return Exit.NEGATIVE


def _show_answer(invoked: "Invoked", output: Output) -> None:
    receipt = invoked.receipt
    if invoked.payload is None:
        output.fold(f"{output.mark('bad')} no answer")
    else:
        output.fold(f"→ {readable(bytes.fromhex(invoked.payload))}")
    if invoked.metadata:
        output.fold(f"metadata {invoked.metadata}")
    said = f"{receipt.outcome}{f' ({receipt.reason})' if receipt.reason else ''}"
    took = "" if invoked.rtt_s is None else f"   there and back {duration(invoked.rtt_s)}"
    output.fold(printable(f"receipt {said}, by {receipt.by}{took}"))


def readable(payload: bytes) -> str:
    """Return bytes as text in quotes where they are text, else as digits."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return f"hex {payload.hex()}"
    return f'"{printable(text)}"'


def _show_why(events: "EventsAnswer", handled: "Handled | None", output: Output) -> None:
    """Say what went wrong in the module."""
    from ei.node.watching import Died

    folder, limits = Path(events.folder), events.limits
    problems = [fault_problem(each, limits, folder) for each in handled.faults] if handled else []
    if handled is None:
        died = [each.entry for each in events.events if isinstance(each.entry, Died)]
        problems = [death_problem(each, limits, folder, has_started=True) for each in died[:1]]
    for problem in problems:
        _ = say_problem(problem, output, width=output.width)


def _document(invoked: "Invoked", handled: "Handled | None", output: Output) -> None:
    import msgspec

    output.document(
        "ei.invoke/1",
        {
            **msgspec.to_builtins(invoked),
            "handled": None if handled is None else msgspec.to_builtins(handled),
        },
    )


def _handled(events: "EventsAnswer", connection: int) -> "Handled | None":
    """Return what was told of the packet of a connection."""
    from ei.runtime.watching import Handled

    for each in reversed(events.events):
        if isinstance(each.entry, Handled) and connection in each.entry.connections:
            return each.entry
    return None


def _events(node: Target, service: str, since: int) -> "EventsAnswer | None":
    """Return what a node has told of a service; `None` where it does not watch it."""
    import msgspec

    from ei.node.admin import EventsAnswer

    try:
        answer = node.ask("events", {"service": service, "since": since})
    except NotFoundError:
        return None
    return msgspec.convert(answer, EventsAnswer)


def _lab_of(service: str) -> str | None:
    """Return the lab in which a service is written, if it runs; else the default one is meant."""
    from ei.lab.run_folder import run_folder
    from ei.lab.workshop import lab_name_of

    try:
        return run_folder(lab_name_of(service), os.environ).read().name
    except EiError:
        return None


def _find_service(arguments: argparse.Namespace) -> tuple[Target, int]:
    """Return a node of the lab that runs the service, and the service's number."""
    import msgspec

    from ei.node.admin import RunningStatus

    known: list[str] = []
    for node in lab_targets(arguments, kind="node"):
        status = msgspec.convert(node.ask("status"), RunningStatus)
        for service in status.node.services:
            if service.name == arguments.service:
                return node, service.number
            known.append(service.name)
    raise NotFoundError(
        f"no node of the lab runs {arguments.service!r}{suggestion(arguments.service, known)}",
        remedy=f"Write it: ei dev {arguments.service}; or name its lab: --lab NAME",
    )


def _find_host(arguments: argparse.Namespace) -> Target:
    """Return the host that sends."""
    if arguments.host is not None:
        return find_target(arguments.host, arguments, kind="host")
    hosts = lab_targets(arguments, kind="host")
    if not hosts:
        raise NotFoundError("the lab has no host", remedy="Name another lab: --lab NAME")
    return hosts[0]
