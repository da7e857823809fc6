"""`ei lab status`: the processes and links of a lab."""

import argparse

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.targets import lab_name, takes_lab

UNITS = {
    "delay_ms": "delay {:g} ms",
    "jitter_ms": "jitter {:g} ms",
    "loss": "loss {:.3g}",
    "reorder": "reorder {:.3g}",
    "duplicate": "duplicate {:.3g}",
    "corrupt": "corrupt {:.3g}",
    "rate_mbps": "{:g} Mb/s",
}


def add_parser(verbs: Verbs) -> None:
    """Add `ei lab status`."""
    verb = verbs.add("status", summary="show the processes and links of a lab", execute=execute)
    takes_lab(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Show every daemon with its state, and every link with what it did; name the other labs."""
    from ei.errors import UnreachableError
    from ei.lab.processes import ask_lab, running_labs

    name = lab_name(arguments)
    others = [other for other in running_labs() if other != name]
    try:
        answer = ask_lab("status", name=name, deadline_s=5.0)
    except UnreachableError as error:
        if not others:
            raise
        remedy = f"Others run: {', '.join(others)}. See one: ei lab status --lab {others[0]}"
        raise UnreachableError(str(error), remedy=remedy) from error
    if others:
        output.talk(f"other labs run: {', '.join(others)} (ei lab status --lab {others[0]})")
    show_lab({**answer, "others": others}, output)
    return Exit.OK


def show_lab(answer: dict[str, object], output: Output) -> None:
    """Print a lab's status as two tables."""
    import msgspec

    from ei.cli.shapes import LabStatus

    status = msgspec.convert(answer, LabStatus)
    output.table(
        ("daemon", "kind", "state", "pid", "starts"),
        [
            (daemon.name, daemon.kind, daemon.state, str(daemon.pid or "-"), str(daemon.starts))
            for daemon in status.daemons
        ],
    )
    output.data("")
    output.table(
        ("link", "offered", "delivered", "lost", "properties"),
        [
            (
                link.name,
                str(link.offered),
                str(link.delivered),
                str(link.lost),
                words(link.impairment),
            )
            for link in status.links
        ],
    )
    content = {name: value for name, value in answer.items() if name != "schema"}
    output.document(str(answer["schema"]), content)
    down = [daemon.name for daemon in status.daemons if daemon.state == "ended"]
    output.next(*[f"ei lab start {name}" for name in down[:1]], "ei status", "ei top")


def words(impairment: dict[str, float | bool]) -> str:
    """Return the properties of a link in words; nothing is said of those that do nothing."""
    if impairment.get("is_cut"):
        return "cut"
    said = [text.format(impairment[name]) for name, text in UNITS.items() if impairment.get(name)]
    return ", ".join(said) or "unimpaired"
