"""`ei trace`: where a packet went, hop by hop, and who decided what."""

import argparse
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.ping import goes_to, send, takes_path, words_of
from ei.cli.quantities import duration

if TYPE_CHECKING:
    from ei.cli.hops import Hop
    from ei.host.verbs_ping import Pings

DETAILS = """\
Sends one packet that asks every node on its way to keep a record, then asks the nodes what became
of it. Each signs what it says, as far as its domain reveals it. With --explain it says who asked
for each service on the way: nothing is interposed silently. With TO and --service the packet names
the service, or the bundle, and goes to the host by it."""
DELIVERY = 16
ANSWER_S = 2.0
"""How long nodes are waited for."""


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
    """Send a traced packet, ask what became of it, and show that in order."""
    import msgspec

    from ei.cli.hops import hops_of
    from ei.host.verbs_explain import Explained

    host, pings = send(arguments, count=1, interval_s=0.0, length_bytes=32, is_traced=True)
    question = {
        "service": pings.service,
        "connection": pings.connection,
        "deadline_s": ANSWER_S,
    }
    answer = host.ask("explain", question, deadline_s=ANSWER_S + 2.0)
    explained = msgspec.convert(answer, Explained)
    hops = hops_of(explained, source=host.name)
    _show(host.name, hops, pings, output)
    if arguments.explain:
        _explain(hops, output)
    for reason in explained.refused:
        output.fold(f"{output.mark('bad')} refused: {reason}")
    to = goes_to(arguments)
    has_arrived = hops[-1].to == to if to and hops else bool(pings.rtts_s)
    if not has_arrived:
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
            "refused": list(explained.refused),
        },
    )
    again = [] if arguments.explain else [f"ei trace {words_of(arguments)} --explain"]
    output.next(*again, "ei top")
    return Exit.OK if has_arrived else Exit.NEGATIVE


def _show(host: str, hops: "list[Hop]", pings: "Pings", output: Output) -> None:
    rows = [["1", host, "", "", "sent", "", ""]]
    for number, hop in enumerate(hops, 2):
        where = f"{hop.verdict} → {hop.to}" if hop.to else hop.verdict
        spent = duration(hop.spent_s) if hop.how else ""
        proof = "signed" if hop.is_signed else "-"
        rows.append([str(number), hop.node, hop.how, " ".join(hop.modules), where, spent, proof])
    if pings.rtts_s:
        took = duration(pings.rtts_s[0])
        proof = "sealed" if pings.service == DELIVERY else "-"
        rows.append([str(len(rows) + 1), pings.to, "", "", "answered", took, proof])
    output.table(("hop", "who", "how", "services", "what became of it", "took", "proof"), rows)


def _explain(hops: "list[Hop]", output: Output) -> None:
    for number, hop in enumerate(hops, 2):
        if hop.reasons:
            output.data(f"{number:3}  {hop.node}")
        for reason in hop.reasons:
            output.fold(output.paint(f"       {reason}", "dim"), indent="         ")
