"""`ei trace`: where a packet went, hop by hop, and who decided what."""

import argparse
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.ping import send, takes_path, words_of
from ei.cli.quantities import duration

if TYPE_CHECKING:
    from ei.cli.hops import Hop

DETAILS = """\
Sends one packet that asks every node on its way to keep a record, then collects the records. With
--explain it says who asked for each service on the way: nothing is interposed silently."""


def add_parser(commands: Verbs) -> None:
    """Add `ei trace`."""
    verb = commands.add(
        "trace",
        summary="show where a packet goes, hop by hop, and who decides what",
        details=DETAILS,
        execute=execute,
    )
    takes_path(verb)
    verb.takes("--explain", action="store_true", help="say why, in words")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Send a traced packet, collect what the nodes say, and show it in order."""
    from ei.cli.hops import collect, in_order
    from ei.cli.targets import has_lab, lab_targets

    host, pings = send(arguments, count=1, interval_s=0.0, length_bytes=32, is_traced=True)
    nodes = lab_targets(arguments, kind="node") if has_lab(arguments) else []
    if not nodes:
        output.talk("no lab: only the nodes of a lab can be asked for their records")
    hops = in_order(collect(nodes, pings.source, pings.connection))
    _show(host.name, hops, output, has_reasons=arguments.explain)
    if pings.rtts_s:
        answered = f"answered, round trip {duration(pings.rtts_s[0])}"
        output.data(f"{len(hops) + 2:2}  {pings.to}  {answered}")
    else:
        output.fold(f"{output.mark('bad')} {pings.reason}")
    output.document(
        "ei.trace/1",
        {
            "from": host.name,
            "to": pings.to,
            "source": pings.source,
            "connection": pings.connection,
            "rtts_s": pings.rtts_s,
            "hops": [hop.content() for hop in hops],
        },
    )
    again = [] if arguments.explain else [f"ei trace {words_of(arguments)} --explain"]
    output.next(*again, "ei top")
    return Exit.OK if pings.rtts_s else Exit.NEGATIVE


def _show(host: str, hops: "list[Hop]", output: Output, *, has_reasons: bool) -> None:
    output.data(f" 1  {host}  sent")
    for number, hop in enumerate(hops, 2):
        modules = ", ".join(hop.modules) or "-"
        where = f" → {hop.to}" if hop.to else ""
        spent = duration(hop.spent_s)
        output.fold(
            f"{number:2}  {hop.node}  {hop.how:8} {modules}  {hop.verdict}{where}  {spent}",
            indent="      ",
        )
        if has_reasons:
            for reason in hop.reasons:
                output.fold(output.paint(f"      {reason}", "dim"), indent="        ")
