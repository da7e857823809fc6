"""`ei decode`: name every field of the datagrams in a capture file."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output, printable
from ei.cli.parser import UsageError, Verbs

DETAILS = """\
Reads pcapng and pcap files, by taps of a lab or by tcpdump. Headers are sealed on the wire; a tap
of a lab writes them opened, and says what became of each datagram."""
EXAMPLES = """\
examples:
  ei decode lab.pcapng
  ei decode lab.pcapng --where ei.service=16 --where ei.drop_reason=replayed
  wireshark -X lua_script:$(ei decode --dissector) lab.pcapng
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei decode`."""
    verb = commands.add(
        "decode",
        summary="name every field of the datagrams in a capture file",
        details=DETAILS,
        execute=execute,
    )
    verb.takes("file", nargs="?", type=Path, metavar="FILE", help="a pcapng or pcap file")
    verb.takes(
        "--where",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="only datagrams with such a field; may be given several times",
    )
    verb.takes(
        "--dissector", action="store_true", help="print where the dissector for Wireshark is"
    )
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Print the datagrams of a capture; exit 1 when there is none to show."""
    if arguments.dissector:
        from importlib.resources import files

        path = str(files("ei.dissector") / "ei.lua")
        output.data(path)
        output.document("ei.dissector/1", {"path": path})
        return Exit.OK
    if arguments.file is None:
        raise UsageError("FILE is missing", command="ei decode")
    wanted = [_condition(text) for text in arguments.where]
    packets: list[dict[str, object]] = []
    count = 0
    for packet, fields in _packets(arguments.file):
        if not all(condition in fields for condition in wanted):
            continue
        count += 1
        if output.is_json:
            packets.append(packet | {"fields": dict(fields)})
        else:
            _show(packet, fields, output)
    output.document("ei.decode/1", {"packets": packets})
    if not count:
        output.talk(f"no datagram of ours in {arguments.file}" + (" fits" if wanted else ""))
    return Exit.OK if count else Exit.NEGATIVE


def _condition(text: str) -> tuple[str, str]:
    from ei.cli.parser import suggestion
    from ei.dissector.fields import FIELDS

    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--where {text}: FIELD=VALUE is needed", command="ei decode")
    if name not in FIELDS:
        hint = suggestion(name, list(FIELDS))
        raise UsageError(f"no field is called {name!r}{hint}", command="ei decode")
    return name, value


def _packets(path: Path) -> Iterator[tuple[dict[str, object], list[tuple[str, str]]]]:
    from ei.dissector.capture import read_capture
    from ei.dissector.datagrams import dissect, is_ours

    for captured in read_capture(path):
        if not is_ours(captured.datagram, captured.ports):
            continue
        packet: dict[str, object] = {
            "number": captured.number,
            "unix_s": round(captured.unix_s, 9),
            "source": captured.source,
            "destination": captured.destination,
        }
        fields = dissect(captured.datagram, comment=captured.comment)
        yield packet, [(field.name, field.value) for field in fields]


def _show(packet: dict[str, object], fields: list[tuple[str, str]], output: Output) -> None:
    from ei.dissector.fields import FIELDS

    place = "{number}  {unix_s:.6f}  {source} → {destination}".format_map(packet)
    output.data(output.paint(place, "strong"))
    for name, value in fields:
        shown = printable(value)
        short = shown if len(shown) <= 95 else f"{shown[:92]}..."  # noqa: PLR2004 32 bytes
        output.data(f"  {name:26} {short:26} {output.paint(FIELDS[name][1], 'dim')}")
