"""`ei registry init`: the folder of a new registry."""

import argparse
import time
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_count
from ei.cli.registry import takes_registry

EXAMPLES = """\
example, three of five keys, and two of three witnesses:
  ei registry init --threshold 3 KEY KEY KEY KEY KEY \\
      --witness KEY --witness KEY --witness KEY --witnesses-needed 2
  ei registry approve --key anne.key                     and two others
  ei registry serve
"""


def add_parser(verbs: Verbs) -> None:
    """Add `ei registry init`."""
    verb = verbs.add(
        "init",
        summary="make the folder of a new registry, and keys for it",
        details="It begins when enough governors have signed its first root: ei registry approve. "
        "That root, public/metadata/1.root.json, is where trust in the registry begins: nodes "
        "need it by another way.",
        execute=execute,
    )
    verb.takes("keys", nargs="+", metavar="KEY", help="governors, 64 digits each: ei key show")
    verb.takes(
        "--threshold", type=parse_count, metavar="K", required=True, help="how many must sign"
    )
    verb.takes(
        "--witness",
        action="append",
        default=[],
        metavar="KEY",
        help="who watches the log, as ei registry witness --show says; once for each",
    )
    verb.takes(
        "--witnesses-needed",
        type=parse_count,
        metavar="K",
        help="how many must have seen it (default: more than half)",
    )
    verb.takes(
        "--name",
        default="registry/log",
        metavar="NAME",
        help="of its log, such as registry.example/log (default: registry/log)",
    )
    takes_registry(verb)
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Write the folder and the draft of its first root."""
    from ei.daemons.governance_file import check_set
    from ei.records.governance import Governance
    from ei.records.trust import parse_key
    from ei.registry.metadata import check_witnesses
    from ei.registry.notes import parse_key as parse_note_key
    from ei.registry.repository import Registry

    keys = tuple(parse_key(text, where="KEY") for text in arguments.keys)
    check_set(keys, arguments.threshold, where="KEY")
    witnesses = tuple(parse_note_key(text) for text in arguments.witness)
    needed = arguments.witnesses_needed or (len(witnesses) // 2 + 1 if witnesses else 0)
    check_witnesses(witnesses, needed)
    registry = Registry.begin(
        Path(arguments.registry),
        Governance(frozenset(keys), arguments.threshold),
        witnesses=witnesses,
        needed=needed,
        name=arguments.name,
        unix_s=time.time(),
    )
    output.data(f"wrote {registry.folder}: {arguments.threshold} of {len(keys)} keys govern")
    output.data(f"its log is watched by {len(witnesses)} witnesses, needed are {needed}")
    if not witnesses:
        output.talk("nobody would see if its log said one thing here and another there")
    output.document(
        "ei.registry-init/1",
        {
            "folder": str(registry.folder.resolve()),
            "threshold": arguments.threshold,
            "keys": [key.hex() for key in keys],
            "witnesses": [str(key) for key in witnesses],
            "witnesses_needed": needed,
        },
    )
    output.next(f"ei registry approve --key FILE, by {arguments.threshold} of them")
    return Exit.OK
